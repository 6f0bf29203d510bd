# SPDX-License-Identifier: Apache-2.0
"""OpenCV, which keeps a generator for each thread (`cv::theRNG`).

The calling thread's is seeded. Every other thread's starts from a constant of OpenCV's
(modules/core/src/rand.cpp), with and without us.

What is imported first as `cv2` is the compiled module; the package copies its functions afterwards
(cv2/__init__.py, bootstrap), our stand-in for the seeding one among them.
"""

from seed_init.libraries.one_call import OneCall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _as_int(function: "Callable[[int], None]", value: int) -> None:
    function(value - 2**32 if value >= 2**31 else value)  # of the same 32 bits: it takes a C int


library = OneCall("cv2", "setRNGSeed", _as_int)
