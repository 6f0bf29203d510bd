"""numba, whose compiled functions draw from generators of their own."""

import sys


def seed(value: int) -> None:
    """Seed the two generators behind `random` and `numpy.random` in compiled functions.

    Every thread has its own pair; this seeds the calling thread's. `numpy.random.seed` in a
    compiled function does the same (numba/cpython/randomimpl.py), but compiling takes seconds.

    Args:
        value: 0...4294967295.
    """
    helper = sys.modules["numba._helperlib"]
    helper.rnd_seed(helper.rnd_get_py_state_ptr(), value)
    helper.rnd_seed(helper.rnd_get_np_state_ptr(), value)
