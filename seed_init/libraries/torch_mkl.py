# SPDX-License-Identifier: Apache-2.0
"""PyTorch's MKL under level `portable`: its AVX2 branch on every maker's CPU.

MKL_CBWR=COMPATIBLE gives the same bits on every CPU, with kernels that use SSE2 only, which are
slow. MKL_CBWR=AVX2 gives them with AVX2, but on the CPUs of other makers than Intel MKL ignores
that value (oneMKL Developer Guide, Specifying Code Branches). MKL asks who made the CPU once, and
keeps the answer in one integer, which `mkl_serv_intel_cpu_true` returns. This file sets that
integer, and then chooses the branch by MKL's own function.

If MKL is not as expected, COMPATIBLE stays: that depends on the library and not on the CPU, so that
the bits are equal everywhere all the same. MKL's function knows the instructions of some makers
only, and Hygon is none of them; there the integer that it would set is set here. If MKL is as
expected and does not take the branch all the same, that depends on the CPU, and the level cannot be
kept.
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

_KERNELS = 5
"""What `mkl_serv_cpu_detect` tells for the kernels of AVX2."""

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
        is_set = library.mkl_serv_cbwr_set(AVX2) == 0 or _insist(library)
        if is_set and branch(library) == AVX2:
            return "AVX2"
        maker.value = before
        return REFUSED
    return "COMPATIBLE" if branch(library) == COMPATIBLE else "unknown"


def _insist(library: ctypes.CDLL) -> bool:
    """Choose the branch where MKL's function does not, because it knows the CPU's maker for none.

    MKL knows Hygon for none whose AVX2 it uses. MKL then finds the kernels by the branch, and this
    function asks whether they are those of AVX2.
    """
    kept = _kept(library)
    if kept is None or branch(library) != COMPATIBLE or kept.value != COMPATIBLE:
        return False
    kept.value = AVX2
    if library.mkl_serv_cpu_detect() == _KERNELS:
        return True
    kept.value = COMPATIBLE
    return False


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


def _kept(library: ctypes.CDLL) -> "ctypes.c_int | None":
    """The integer in which MKL keeps the branch; None if it is not where expected.

    `mkl_serv_cbwr_set` compares the integer with its argument: "mov ADDRESS(%rip), %eax", "xor
    %ecx, %ecx", "cmp %ebx, %eax", after 14 bytes.
    """
    start = ctypes.cast(library.mkl_serv_cbwr_set, ctypes.c_void_p).value or 0
    code = ctypes.string_at(start + 14, 10)
    if code[:2] != b"\x8b\x05" or code[6:] != b"\x31\xc9\x39\xd8":
        return None
    address = start + 20 + int.from_bytes(code[2:6], "little", signed=True)
    return ctypes.c_int.from_address(address)


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
