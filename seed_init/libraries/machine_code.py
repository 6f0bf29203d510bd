# SPDX-License-Identifier: Apache-2.0
"""Instructions of x86-64 in memory, and what may be written to there."""

import ctypes
import mmap
import os


class NoMemory(Exception):
    """The system gives no memory for instructions, as some policies have it (SELinux, execmem).

    That depends on the machine: the level cannot be kept on one that computes otherwise for it.
    """


def executable(code: bytes) -> int:
    """Return the address of a copy of `code` that stays until the process ends, after Python.

    Raises:
        NoMemory: the system gives none.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(3 * [ctypes.c_int]), ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = libc.mmap(None, len(code), mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if start in (None, ctypes.c_void_p(-1).value):
        raise NoMemory(os.strerror(ctypes.get_errno()))
    ctypes.memmove(start, code, len(code))
    if libc.mprotect(start, len(code), mmap.PROT_READ | mmap.PROT_EXEC):
        raise NoMemory(os.strerror(ctypes.get_errno()))
    return int(start)


def is_writable(address: int) -> bool:
    """Whether this process may write to an address of its own.

    The kernel is asked, by a byte that goes through a pipe to where it has come from: it refuses
    with EFAULT where the process would be ended. A sandbox without /proc tells nobody more.
    """
    libc = ctypes.CDLL(None)
    place = ctypes.c_void_p(address)
    reading, writing = os.pipe()
    try:
        return bool(libc.write(writing, place, 1) == 1 and libc.read(reading, place, 1) == 1)
    finally:
        os.close(reading)
        os.close(writing)
