# SPDX-License-Identifier: Apache-2.0
"""This module tells whether a CUDA graph is captured: then nothing may use the device."""

import sys
from typing import Any


def is_capturing() -> bool:
    """Return True while a CUDA graph is captured in this thread's stream.

    What we compute then would become a part of the graph. To wait for the device, as a copy to the
    host does, breaks the capture.
    """
    torch: Any = sys.modules.get("torch")
    cuda: Any = getattr(torch, "cuda", None)
    # Not of a torch whose import is under way.
    if not hasattr(cuda, "is_current_stream_capturing"):
        return False
    return bool(cuda.is_initialized() and cuda.is_current_stream_capturing())
