# SPDX-License-Identifier: Apache-2.0
"""PyTorch's MKL under level `portable`: its AVX2 branch on every maker's CPU.

MKL_CBWR=COMPATIBLE gives the same bits on every CPU, with kernels that use SSE2 only, which are
slow. MKL_CBWR=AVX2 gives them with AVX2, but on the CPUs of other makers than Intel MKL ignores
that value (oneMKL Developer Guide, Specifying Code Branches). MKL asks who made the CPU once, and
keeps the answer in one integer, which `mkl_serv_intel_cpu_true` returns. This file sets that
integer, and then chooses the branch by MKL's own function.

If MKL is not as expected, COMPATIBLE stays: that depends on the library and not on the CPU, so that
the bits are equal everywhere all the same. If MKL is as expected and does not take the branch, that
depends on the CPU: MKL knows the instructions of some makers only, and Hygon is none of them. There
the level cannot be kept.
"""

import ctypes
from pathlib import Path

import torch

AVX2 = 10
"""MKL_CBWR_AVX2 (mkl_types.h)."""

COMPATIBLE = 3
"""MKL_CBWR_COMPATIBLE."""

REFUSED = "refused"
"""What is told where MKL does not take its AVX2 branch."""

_BRANCH = 1
"""MKL_CBWR_BRANCH: what `mkl_cbwr_get` is asked for."""


def choose() -> str:
    """Choose the branch of PyTorch's MKL, before MKL's first call.

    Returns:
        "AVX2", or "COMPATIBLE" for an MKL that is not as expected; "" for a PyTorch without MKL;
        `REFUSED` where MKL does not take the branch on this CPU.
    """
    library = _library()
    if library is None or not torch.backends.mkl.is_available():
        return ""
    maker = _maker(library)
    if maker is not None:
        before, maker.value = maker.value, 1
        if library.mkl_serv_cbwr_set(AVX2) == 0 and branch(library) == AVX2:
            return "AVX2"
        maker.value = before
        return REFUSED
    return "COMPATIBLE" if branch(library) == COMPATIBLE else "unknown"


def branch(library: "ctypes.CDLL | None" = None) -> int:
    """The branch that MKL uses, as mkl_types.h numbers it; 0 where there is no MKL."""
    library = library or _library()
    return int(library.mkl_serv_cbwr_get(_BRANCH)) if library is not None else 0


def _library() -> "ctypes.CDLL | None":
    path = Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"
    try:
        library = ctypes.CDLL(str(path))
        library.mkl_serv_cbwr_get, library.mkl_serv_cbwr_set  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library


def _maker(library: ctypes.CDLL) -> "ctypes.c_int | None":
    """The integer in which MKL keeps whether the CPU is Intel's; None if it is not where expected.

    The function begins with "mov ADDRESS(%rip), %eax" and a test of that.
    """
    try:
        start = ctypes.cast(library.mkl_serv_intel_cpu_true, ctypes.c_void_p).value or 0
    except AttributeError:
        return None
    code = ctypes.string_at(start, 8)
    if code[:2] != b"\x8b\x05" or code[6:8] not in (b"\x85\xc0", b"\x83\xf8"):
        return None
    return ctypes.c_int.from_address(start + 6 + int.from_bytes(code[2:6], "little", signed=True))
