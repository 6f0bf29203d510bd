# SPDX-License-Identifier: Apache-2.0
"""PyTorch's oneDNN under level `portable`: blocks for caches of the same sizes on every CPU.

Some of oneDNN's kernels (those built on brgemm, and convolutions by gemm) split a sum into blocks
that fit into the CPU's caches, and so add in another order where the caches have another size. No
variable and no function of oneDNN sets these sizes. oneDNN keeps them in one object (`cpu_` in
src/cpu/x64/cpu_isa_traits.hpp, of Xbyak's class util::Cpu), and every kernel asks
`platform::get_per_core_cache_size` for them. This file writes `SIZES` into the object, and then
asks that function. Both are found by name in the symbol table of libtorch_cpu.so.

If the library has no such table, or the object is not as expected, oneDNN is switched off: that
depends on the library and not on the CPU, so that the bits are equal everywhere all the same.
"""

import ctypes
import mmap
import struct
from pathlib import Path

import torch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (32 << 10, 512 << 10, 1 << 20)
"""Bytes of a core's first, second and third cache: what oneDNN assumes where a CPU does not tell
(src/cpu/platform.cpp)."""

_OBJECT = b"_ZZN4dnnl4impl3cpu3x643cpuEvE4cpu_"
_ASK = b"_ZN4dnnl4impl3cpu8platform23get_per_core_cache_sizeEi"
_EXPORTED = "_ZN2at18get_mkldnn_versionEv"

_MOST = 10
"""Caches that the object has room for: Xbyak's maxNumberCacheLevels."""

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOLS = 2
"""The type SHT_SYMTAB of a section (/usr/include/elf.h)."""


class _Caches(ctypes.Structure):
    """The beginning of util::Cpu (src/cpu/x64/xbyak/xbyak_util.h of oneDNN 3.5)."""

    _fields_ = (
        ("before", ctypes.c_uint32 * 7),
        ("size", ctypes.c_uint32 * _MOST),
        ("sharing", ctypes.c_uint32 * _MOST),
        ("levels", ctypes.c_uint32),
    )


class NotAsExpected(Exception):
    """The sizes are not where they are looked for."""


def choose() -> str:
    """Have oneDNN assume `SIZES`, before it makes its first kernel.

    Returns:
        A line for the log; "" for a PyTorch without oneDNN.
    """
    if not torch.backends.mkldnn.is_available():
        return ""
    try:
        _pin(SIZES)
    except (NotAsExpected, AttributeError, OSError, ValueError, struct.error) as error:
        torch._C._set_mkldnn_enabled(False)
        return f"oneDNN is switched off: the sizes of its caches cannot be set ({error})"
    return "oneDNN: caches of " + ", ".join(f"{size >> 10} KiB" for size in SIZES)


def _pin(sizes: tuple[int, int, int]) -> None:
    path = Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"
    at = _addresses(path, (_OBJECT, _ASK))
    base = _base(ctypes.CDLL(str(path)))
    ask = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int)(base + at[_ASK])
    ask(1)  # makes the object
    caches = _Caches.from_address(base + at[_OBJECT])
    if _answers(ask) == sizes:
        return
    if _answers(ask) != _as_kept(caches):
        raise NotAsExpected("they are kept in another way")
    before = bytes(caches)
    caches.levels = len(sizes)
    for level, size in enumerate(sizes):
        caches.size[level], caches.sharing[level] = size, 1
    if _answers(ask) != sizes:
        ctypes.memmove(ctypes.addressof(caches), before, len(before))
        raise NotAsExpected("they do not change")


def _answers(ask: "Callable[[int], int]") -> tuple[int, ...]:
    return tuple(ask(level) for level in (1, 2, 3))


def _as_kept(caches: _Caches) -> tuple[int, ...]:
    """What the function must tell if `caches` is the object."""
    shared = zip(caches.size, caches.sharing, strict=True)
    sizes = [size // max(1, cores) for size, cores in shared][: caches.levels]
    return tuple([*sizes, 0, 0, 0][:3])


def _base(library: ctypes.CDLL) -> int:
    """Where the library was loaded."""
    information = (ctypes.c_void_p * 4)()  # Dl_info of dladdr(3)
    inside = ctypes.cast(getattr(library, _EXPORTED), ctypes.c_void_p)
    ctypes.CDLL(None).dladdr(inside, information)
    return information[1] or 0


def _addresses(path: Path, names: tuple[bytes, ...]) -> dict[bytes, int]:
    """Where symbols of a shared library stand, local ones too, from its beginning.

    Raises:
        NotAsExpected: the library is stripped, or has no such symbol.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as elf:
        start, size, count = _head(elf)
        sections = [_SECTION.unpack_from(elf, start + place * size) for place in range(count)]
        for section in sections:
            if section[1] == _SYMBOLS:
                texts = sections[section[6]]
                return {name: _address(elf, section, texts, name) for name in names}
    raise NotAsExpected("the library has no table of symbols")


def _head(elf: mmap.mmap) -> tuple[int, int, int]:
    """Where the table of sections begins, the length of an entry, and how many there are."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise NotAsExpected("the library is no 64-bit ELF file")
    (start,) = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    return start, size, count


def _address(
    elf: mmap.mmap, table: "tuple[int, ...]", texts: "tuple[int, ...]", name: bytes
) -> int:
    first = texts[4]
    place = elf.find(b"\0" + name + b"\0", first, first + texts[5]) + 1
    if not place:
        raise NotAsExpected(f"there is no {name.decode()}")
    key, at = struct.pack("<I", place - first), table[4]
    while (at := elf.find(key, at, table[4] + table[5])) >= 0:
        if (at - table[4]) % _SYMBOL.size == 0:
            return int(_SYMBOL.unpack_from(elf, at)[4])
        at += 1
    raise NotAsExpected(f"the table of symbols has no {name.decode()}")
