"""Read what a shared library or an object file needs and defines: its ELF tables.

The layouts are those of elf.h for 64-bit files with the least significant byte first (x86-64, and
aarch64 as Linux runs it).
"""

import mmap
import struct
from pathlib import Path

SYMTAB, DYNAMIC, DYNSYM = 2, 6, 11
"""Section types (SHT_...)."""

NEEDED = 1
"""The tag of a dynamic entry that names a library (DT_NEEDED)."""


class Elf:
    """The tables of a file.

    Attributes:
        needed: names of the libraries that it is linked with.
        undefined: symbols that it expects from others.
        defined: symbols that it has, for others or for itself.
    """

    def __init__(self, path: Path) -> None:
        self.needed: list[str] = []
        self.undefined: set[str] = set()
        self.defined: set[str] = set()
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:6] != b"\x7fELF\x02\x01":
                raise ValueError(f"{path} is no 64-bit little-endian ELF file")
            sections = _sections(data)
            for kind, start, size, link in sections:
                # The section of the strings that the entries point into.
                _, strings, length, _ = sections[link] if link < len(sections) else (0, 0, 0, 0)
                text = data[strings : strings + length] if kind in _READERS else b""
                if kind in _READERS:
                    _READERS[kind](self, data[start : start + size], text)

    def _read_symbols(self, table: bytes, text: bytes) -> None:
        for name, _, _, section, _, _ in struct.iter_unpack("<IBBHQQ", table):
            if name:
                (self.defined if section else self.undefined).add(_string(text, name))

    def _read_dynamic(self, table: bytes, text: bytes) -> None:
        for tag, value in struct.iter_unpack("<qQ", table):
            if tag == NEEDED:
                self.needed.append(_string(text, value))


_READERS = {
    SYMTAB: Elf._read_symbols,
    DYNSYM: Elf._read_symbols,
    DYNAMIC: Elf._read_dynamic,
}


def _sections(data: mmap.mmap) -> list[tuple[int, int, int, int]]:
    """Type, offset, size, and the number of the section that belongs to it, of each section."""
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry, count = struct.unpack_from("<HH", data, 0x3A)
    found = []
    for number in range(count):
        _, kind, _, _, offset, size, link = struct.unpack_from(
            "<IIQQQQI", data, table + number * entry
        )
        found.append((kind, offset, size, link))
    return found


def _string(text: bytes, start: int) -> str:
    return text[start : text.index(b"\0", start)].decode()
