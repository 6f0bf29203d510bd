# SPDX-License-Identifier: Apache-2.0
"""Division of complex64 by PyTorch under level `portable`: with IEEE division and no approximation.

ATen's AVX2 kernels divide complex64 with the instruction `vrcpps`
(aten/src/ATen/cpu/vec/vec256/vec256_complex_float.h, operator/), an approximation of 12 bits that
the makers of CPUs implement differently. ATen compiles each kernel without AVX2 as well, and there
complex64 is divided by IEEE operations only. So the kernels in `KERNELS` are taken from there for
complex64, and stay as they are for all other types.

An operator finds its kernel through a `DispatchStub` (aten/src/ATen/native/DispatchStub.h): a
pointer in libtorch_cpu.so, beside one exported pointer for each instruction set. Here it is set to
a few instructions that look at the type and jump to one kernel or to the other. A kernel for the
dispatcher instead, in Python, would have every division of real numbers wait for the interpreter.
Where the type stands in the kernel's argument is looked up by calls with tensors of several types.
"""

import ctypes
from pathlib import Path

import torch

from seed_init.libraries import machine_code

ITERATOR = "RNS_18TensorIteratorBaseE"

KERNELS = {
    "div_true_stub": f"Fv{ITERATOR}E",
    "addcdiv_stub": f"Fv{ITERATOR}RKN3c106ScalarEE",
    "atan_stub": f"Fv{ITERATOR}E",
    "silu_stub": f"Fv{ITERATOR}E",
    "silu_backward_stub": f"Fv{ITERATOR}E",
}
"""The kernels that divide complex64 -> their types, as C++ mangles them."""

TYPES = {
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.complex64: 9,
    torch.complex128: 10,
    torch.bfloat16: 15,
}
"""Numbers of types (c10/core/ScalarType.h), which PyTorch's files of tensors rely on."""

_LOOKED_AT = 1024
"""Bytes of a TensorIterator and of the stack above it: the type is at byte 806 in PyTorch 2.6."""

_LENGTH = 32
"""Bytes for the instructions of one kernel."""

_is_chosen = False


class NotAsExpected(Exception):
    """This PyTorch finds its kernels in another way."""


def choose() -> None:
    """Have complex64 divided without approximations, in this process and its forked children.

    Raises:
        NotAsExpected: nothing has been changed.
        machine_code.NoMemory: nothing has been changed.
    """
    global _is_chosen
    if _is_chosen:
        return
    library = ctypes.CDLL(str(Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"))
    found = [(_pointer(library, _stub(name)), _kernels(library, name)) for name in KERNELS]
    offset = _offset_of_type(*found[0])
    codes = [_either(offset, *kernels) for _, kernels in found]
    start = machine_code.executable(b"".join(codes))
    for place, (stub, _) in enumerate(found):
        stub.value = start + place * _LENGTH
    _is_chosen = True


def _stub(name: str) -> str:
    return f"_ZN2at6native{len(name)}{name}E"


def _kernels(library: ctypes.CDLL, name: str) -> tuple[int, int]:
    """The addresses of a kernel for AVX2 and of that for every x86-64 CPU."""
    tag = f"{name}_DECLARE_DISPATCH_type"  # before PyTorch 2.6, `name` itself
    if not hasattr(library, _variable(name, tag, "4AVX2")):
        tag = name
    variables = (_variable(name, tag, level) for level in ("4AVX2", "7DEFAULT"))
    addresses = [_pointer(library, variable).value for variable in variables]
    if None in addresses:
        raise NotAsExpected(f"{name} has no kernel for one of AVX2 and DEFAULT")
    return addresses[0] or 0, addresses[1] or 0


def _variable(name: str, tag: str, level: str) -> str:
    return f"_ZN2at6native12DispatchStubIP{KERNELS[name]}NS0_{len(tag)}{tag}EE{level}E"


def _pointer(library: ctypes.CDLL, symbol: str) -> ctypes.c_void_p:
    try:
        return ctypes.c_void_p.in_dll(library, symbol)
    except ValueError:
        raise NotAsExpected(f"there is no {symbol}") from None


def _offset_of_type(stub: ctypes.c_void_p, kernels: tuple[int, int]) -> int:
    """Where a kernel finds the type of its numbers: bytes from the beginning of its argument.

    Meanwhile nobody else may divide: PyTorch is just being imported.
    """
    before = stub.value
    if before not in (None, kernels[0]):
        raise NotAsExpected("a division is not done by its AVX2 kernel")
    seen: list[bytes] = []

    def look(iterator: int) -> None:
        seen.append(ctypes.string_at(iterator, _LOOKED_AT))

    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(look)
    stub.value = ctypes.cast(kernel, ctypes.c_void_p).value
    try:
        with torch.no_grad():
            for dtype in TYPES:
                numbers = torch.ones(3, dtype=dtype, device="cpu")
                torch.ops.aten.div.Tensor(numbers, numbers)
    finally:
        stub.value = before
    wanted = bytes(TYPES.values())
    if len(seen) == len(wanted):
        columns = zip(*seen, strict=True)
        offsets = [offset for offset, column in enumerate(columns) if bytes(column) == wanted]
        if offsets:
            return offsets[-1]  # those before are the operands'
    raise NotAsExpected("the type of a kernel's numbers was not found")


def _either(offset: int, fast: int, exact: int) -> bytes:
    """Return a function that jumps to `exact` for complex64 and to `fast` otherwise."""
    code = (
        b"\x80\xbf" + offset.to_bytes(4, "little") + bytes([TYPES[torch.complex64]]),  # cmpb
        b"\x48\xb8" + fast.to_bytes(8, "little"),  # mov fast, %rax
        b"\x75\x0a",  # jne over the next one
        b"\x48\xb8" + exact.to_bytes(8, "little"),  # mov exact, %rax
        b"\xff\xe0",  # jmp *%rax
    )
    return b"".join(code).ljust(_LENGTH, b"\x90")
