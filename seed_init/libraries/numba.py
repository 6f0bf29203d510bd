# SPDX-License-Identifier: Apache-2.0
"""numba, whose compiled functions draw from generators of their own."""

import sys

from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Numba(Library):
    """The generators of this thread in compiled functions."""

    def seed(self, value: int) -> None:
        """Seed the two generators behind `random` and `numpy.random` in compiled functions.

        Every thread has its own pair; this seeds the calling thread's. `numpy.random.seed` in a
        compiled function does the same (numba/cpython/randomimpl.py), but compiling takes seconds.

        Args:
            value: 0...4294967295.
        """
        helper = sys.modules["numba._helperlib"]
        helper.rnd_seed(helper.rnd_get_py_state_ptr(), value)
        helper.rnd_seed(helper.rnd_get_np_state_ptr(), value)

    def state(self) -> "Any":
        """The states of this thread's two generators, for `restore`."""
        helper = sys.modules["numba._helperlib"]
        pointers = helper.rnd_get_py_state_ptr(), helper.rnd_get_np_state_ptr()
        return [helper.rnd_get_state(pointer) for pointer in pointers]

    def restore(self, state: "Any") -> None:
        """Put back what `state` gave."""
        helper = sys.modules["numba._helperlib"]
        pointers = helper.rnd_get_py_state_ptr(), helper.rnd_get_np_state_ptr()
        for pointer, its_state in zip(pointers, state):
            helper.rnd_set_state(pointer, its_state)


library = Numba()
