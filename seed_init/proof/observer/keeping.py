# SPDX-License-Identifier: Apache-2.0
"""This module keeps a forked child from freeing what belongs to the parent's CUDA.

CUDA does not survive a fork. To free pinned memory, an event or a graph calls CUDA, and an error
in a destructor of C++ ends the process: DataLoader workers would die of what we hold of the
parent's copies (aten/src/ATen/cuda/CachingHostAllocator.cpp, free).
"""

import ctypes
from typing import Any


def for_ever(held: Any) -> None:
    """Keep an object and all that it holds until the process is gone.

    A global variable would not do: a child that ends as Python programs do clears them.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
