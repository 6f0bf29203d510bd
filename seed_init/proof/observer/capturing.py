# SPDX-License-Identifier: Apache-2.0
"""Whether a CUDA graph is being captured, when nothing may be computed or asked of the device."""

import sys
from typing import Any


def is_capturing() -> bool:
    """True while a CUDA graph is captured: what we compute would become a part of it.

    To wait for the device, as a copy to the host does, breaks the capture.
    """
    torch: Any = sys.modules.get("torch")
    cuda: Any = getattr(torch, "cuda", None)
    # Not of a torch whose import is under way.
    if not hasattr(cuda, "is_current_stream_capturing"):
        return False
    return bool(cuda.is_initialized() and cuda.is_current_stream_capturing())
