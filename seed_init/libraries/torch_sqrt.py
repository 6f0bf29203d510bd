# SPDX-License-Identifier: Apache-2.0
"""PyTorch's square root under level `portable`: rounded correctly, as IEEE 754 has it.

ATen has MKL's vector functions compute the square root of float32 and float64
(aten/src/ATen/cpu/vml.h). Most of their kernels use approximations that the makers of CPUs
implement differently. Under MKL_VML_DEBUG_CPU_TYPE=1 the kernel is E2, which has none: it gives the
same bits on every CPU, but one result in seven (float32; of float64 one in 70) is not the nearest
number. Here MKL's table of kernels gets the instruction that every CPU rounds correctly, in a loop,
in E2's place. Where the table is not as expected, E2 stays: that depends on the library and not on
the CPU, so that the bits are equal everywhere all the same.
"""

import ctypes
from pathlib import Path

import torch

from seed_init.libraries import machine_code

_FLOAT32 = bytes.fromhex(
    "89ff"  # mov %edi, %edi: the number of elements
    "31c9"  # xor %ecx, %ecx: how many are done
    "4989f8"  # mov %rdi, %r8
    "4983e0f8"  # and $-8, %r8: those in whole vectors
    "4c39c1"  # cmp %r8, %rcx
    "7310"  # jae to the second loop
    "c5fc51048e"  # vsqrtps (%rsi,%rcx,4), %ymm0
    "c5fc11048a"  # vmovups %ymm0, (%rdx,%rcx,4)
    "4883c108"  # add $8, %rcx
    "ebeb"  # jmp to the first cmp
    "4839f9"  # cmp %rdi, %rcx
    "730f"  # jae to the end
    "c5fa51048e"  # vsqrtss (%rsi,%rcx,4), %xmm0, %xmm0
    "c5fa11048a"  # vmovss %xmm0, (%rdx,%rcx,4)
    "48ffc1"  # inc %rcx
    "ebec"  # jmp to the second cmp
    "31c0"  # xor %eax, %eax
    "c5f877"  # vzeroupper
    "c3"  # ret
)
_FLOAT64 = bytes.fromhex(
    "89ff31c94989f8"
    "4983e0fc"  # and $-4, %r8
    "4c39c17310"
    "c5fd5104ce"  # vsqrtpd (%rsi,%rcx,8), %ymm0
    "c5fd1104ca"  # vmovupd %ymm0, (%rdx,%rcx,8)
    "4883c104"  # add $4, %rcx
    "ebeb4839f9730f"
    "c5fb5104ce"  # vsqrtsd (%rsi,%rcx,8), %xmm0, %xmm0
    "c5fb1104ca"  # vmovsd %xmm0, (%rdx,%rcx,8)
    "48ffc1ebec31c0c5f877c3"
)
_KERNELS = {"sSqrt": _FLOAT32, "dSqrt": _FLOAT64}
"""MKL's functions -> instructions: void kernel(int count, const T *numbers, T *roots)."""

_PLACES = (1, 7, 13)
"""Where the tables have E2: low accuracy, high, and enhanced performance, six CPU types each."""

_LENGTH = 18


def choose() -> bool:
    """Have square roots rounded correctly. Return whether this is so.

    Raises:
        machine_code.NoMemory: this system gives no memory for instructions.
    """
    if not torch.backends.mkl.is_available():
        return True  # then ATen uses the instruction
    library = ctypes.CDLL(str(Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"))
    try:
        for name, code in _KERNELS.items():
            table = (ctypes.c_void_p * _LENGTH).in_dll(library, f"mkl_vml_kernel_{name}_ttab")
            e2 = getattr(library, f"mkl_vml_kernel_{name}_E2HAynn")
            if not _is_as_expected(table, ctypes.cast(e2, ctypes.c_void_p).value):
                return False
            start = machine_code.executable(code)
            for place in _PLACES:
                table[place] = start
    except (AttributeError, ValueError):
        return False
    return True


def _is_as_expected(table: "ctypes.Array[ctypes.c_void_p]", e2: "int | None") -> bool:
    address = ctypes.addressof(table)
    ends = (address, address + ctypes.sizeof(table) - 1)
    has_e2 = {place for place, kernel in enumerate(table) if kernel == e2} == set(_PLACES)
    return has_e2 and all(machine_code.is_writable(end) for end in ends)
