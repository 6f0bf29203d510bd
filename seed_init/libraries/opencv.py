# SPDX-License-Identifier: Apache-2.0
"""OpenCV, which keeps a generator for each thread (`cv::theRNG`).

The calling thread's is seeded. Every other thread's starts from a constant of OpenCV's
(modules/core/src/rand.cpp), with and without us.

What is imported first as `cv2` is the compiled module; the package copies its functions afterwards
(cv2/__init__.py, bootstrap), our stand-in for the seeding one among them.
"""

import sys

from seed_init.libraries.one_call import OneCall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from seed_init.hook.settings import Settings


def _as_int(function: "Callable[[int], None]", value: int) -> None:
    function(value - 2**32 if value >= 2**31 else value)  # of the same 32 bits: it takes a C int


class OpenCV(OneCall):
    """OpenCV's generator, and under level portable its start without Intel's image functions."""

    def configure(self, settings: "Settings") -> list[str]:
        """Have OpenCV read OPENCV_IPP now, under level portable, and not warn of what it reads.

        Args:
            settings: what this process was asked to do.

        Returns:
            A line where that was done.
        """
        cv2: Any = sys.modules["cv2"]
        if settings.determinism != "portable" or not hasattr(cv2, "ipp"):
            return []
        logging = cv2.utils.logging
        before = logging.setLogLevel(logging.LOG_LEVEL_ERROR)
        is_used = cv2.ipp.useIPP()
        logging.setLogLevel(before)
        return [f"OpenCV: Intel's image functions {'on' if is_used else 'off'}"]


library = OpenCV("cv2", "setRNGSeed", _as_int)
