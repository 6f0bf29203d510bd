"""NumPy's global generator, the one behind `numpy.random.rand` and its like."""

import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE = 5.0
"""Seconds to wait for a thread that draws; a draw of 10⁸ numbers takes less than one."""

_held: "dict[int, Any]" = {}  # by thread: the lock that it holds


def seed(value: int) -> None:
    """Seed the global `RandomState`.

    Args:
        value: 0...4294967295, all that `numpy.random.seed` takes.
    """
    # Not `import numpy.random`: while it is being imported, the name is not yet an
    # attribute of numpy.
    sys.modules["numpy.random"].seed(value)


def hold(others_draw: bool) -> bool:
    """Take the generator's lock before a fork.

    Args:
        others_draw: whether to wait for it.

    Returns:
        False where somebody holds it and does not let go.
    """
    lock = sys.modules["numpy.random"].mtrand._rand._bit_generator.lock
    taken: bool = lock.acquire(timeout=PATIENCE if others_draw else 0)
    if taken:
        _held[get_ident()] = lock
    return taken


def release() -> None:
    """Let go what `hold` took."""
    lock = _held.pop(get_ident(), None)
    if lock is not None:
        lock.release()
