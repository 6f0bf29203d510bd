"""NumPy's global generator, the one behind `numpy.random.rand` and its like."""

import sys


def seed(value: int) -> None:
    """Seed the global `RandomState`.

    Args:
        value: 0...4294967295, all that `numpy.random.seed` takes.
    """
    # Not `import numpy.random`: while it is being imported, the name is not yet an
    # attribute of numpy.
    sys.modules["numpy.random"].seed(value)
