"""OpenCV, which keeps a generator for each thread (`cv::theRNG`)."""

import sys

from seed_init import reseeding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_set: "Callable[[int], None] | None" = None  # cv2.setRNGSeed itself


def seed(value: int) -> None:
    """Seed the calling thread's generator, as `cv2.setRNGSeed` does.

    Every other thread's starts from a constant of OpenCV's (modules/core/src/rand.cpp, `theRNG`),
    with and without us.

    Args:
        value: 0...4294967295. `setRNGSeed` takes a C int: the same 32 bits.
    """
    (_set or sys.modules["cv2"].setRNGSeed)(value - 2**32 if value >= 2**31 else value)


def watch() -> None:
    """Have `cv2.setRNGSeed` ask us.

    What is imported first as `cv2` is the compiled module; the package copies its functions
    afterwards (cv2/__init__.py, bootstrap), the stand-in among them.
    """
    global _set
    if _set is None:
        cv2: Any = sys.modules["cv2"]
        _set = cv2.setRNGSeed
        cv2.setRNGSeed = reseeding.asking("cv2.setRNGSeed", _set, seed)
