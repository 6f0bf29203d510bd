"""Which functions of a library call a function of ATen: read from its machine code in seconds.

For ELF files of x86-64. A call goes to the function itself, to its entry in the procedure linkage
table, which jumps to where a slot of the global offset table points, or by that slot at once.
"""

import mmap
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

SYMBOL = np.dtype("<u4, u1, u1, <u2, <u8, <u8")  # name, type, visibility, section, address, size
RELOCATION = np.dtype("<u8, <u4, <u4, <i8")  # address, type, symbol, addend
FUNCTION = 2
CALL, JUMP = 0xE8, 0xE9
BY_SLOT = (b"\xff\x15", b"\xff\x25")  # call and jump
CHUNK = 1 << 26


class Library:
    """An ELF file.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert self._bytes[:5] == b"\x7fELF\x02", path
        assert struct.unpack_from("<H", self._bytes, 18)[0] == 62, "no code of x86-64"
        offset, size, count, names = (
            struct.unpack_from("<Q", self._bytes, 40)[0],
            *struct.unpack_from("<HHH", self._bytes, 58),
        )
        rows = [struct.unpack_from("<IIQQQQ", self._bytes, offset + size * i) for i in range(count)]
        # Name -> address, place in the file, size.
        self._sections = {self._text(rows[names][4] + row[0]): row[3:6] for row in rows}

    def callers(self, function: str) -> set[str]:
        """The names of all functions that call a function, without what is around and in them.

        Args:
            function: a part of its mangled name, such as "27alertNotDeterministic".
        """
        direct, slots = self._ways(function)
        calls = self._references(sorted(direct), sorted(slots)) if direct or slots else []
        symbols = self._symbols(".symtab" if ".symtab" in self._sections else ".dynsym")
        symbols = symbols[(symbols["f1"] & 15 == FUNCTION) & (symbols["f4"] > 0)]
        symbols = symbols[np.argsort(symbols["f4"], kind="stable")]
        found = set()
        for call in calls:
            one = symbols[int(np.searchsorted(symbols["f4"], call, "right")) - 1]
            assert call < one["f4"] + one["f5"], "a call outside of every function"
            strings = ".strtab" if ".symtab" in self._sections else ".dynstr"
            found.add(plain(self._text(self._sections[strings][1] + int(one["f0"]))))
        return found

    def _ways(self, function: str) -> "tuple[set[int], set[int]]":
        """The addresses to call, and those of the slots to call by."""
        symbols = self._symbols(".dynsym")
        _, start, size = self._sections[".dynstr"]
        strings = self._bytes[start : start + size]
        names = {
            strings.rindex(b"\0", 0, match.start()) + 1
            for match in re.finditer(re.escape(function.encode()), strings)
        }
        wanted = np.flatnonzero(np.isin(symbols["f0"], list(names)))
        direct = {int(symbols["f4"][each]) for each in wanted if symbols["f4"][each]}
        slots: set[int] = set()
        for section in (".rela.plt", ".rela.dyn"):
            rows = self._table(section, RELOCATION)
            slots.update(int(each) for each in rows["f0"][np.isin(rows["f2"], wanted)])
        for section in (".plt", ".plt.sec", ".plt.got"):
            if section in self._sections:
                direct |= self._entries(section, slots)
        return direct, slots

    def _entries(self, section: str, slots: set[int]) -> set[int]:
        """The entries of a linkage table that jump by one of the slots: 16 bytes each."""
        address, start, size = self._sections[section]
        code = self._bytes[start : start + size]
        return {
            address + match.start() // 16 * 16
            for match in re.finditer(re.escape(BY_SLOT[1]) + rb"(?=(....))", code, re.DOTALL)
            if address + match.end() + 4 + struct.unpack("<i", match[1])[0] in slots
        }

    def _references(self, direct: list[int], slots: list[int]) -> "list[int]":
        """The addresses of the instructions that call, or jump to, one of these."""
        address, start, size = self._sections[".text"]
        found = []
        for place in range(0, size - 4, CHUNK):
            for shift in range(4):
                first = place + shift
                count = min(CHUNK, size - first) // 4
                distances = np.frombuffer(self._bytes, "<i4", count, start + first)
                ends = np.arange(count, dtype=np.int64) * 4 + (address + first + 4)
                targets = distances + ends
                hits = np.logical_or.reduce([targets == each for each in direct + slots])
                for number in np.flatnonzero(hits):
                    here = start + first + 4 * int(number)
                    if int(targets[number]) in slots:
                        is_call = self._bytes[here - 2 : here] in BY_SLOT
                    else:
                        is_call = self._bytes[here - 1] in (CALL, JUMP)
                    if is_call:
                        found.append(address + here - start)
        return found

    def _symbols(self, section: str) -> Any:
        return self._table(section, SYMBOL)

    def _table(self, section: str, row: "np.dtype[Any]") -> Any:
        _, start, size = self._sections[section]
        return np.frombuffer(self._bytes, row, size // row.itemsize, start)

    def _text(self, place: int) -> str:
        return self._bytes[place : self._bytes.find(b"\0", place)].decode()


def plain(mangled: str) -> str:
    """The function's own name in a mangled one; of a structured kernel's `impl` the structure's.

    A lambda in a function counts as that function.
    """
    name, rest = "", mangled.partition("N")[2]
    while (size := re.match(r"[KLS_t]*?(\d+)", rest)) is not None:
        length = int(size[1])
        part, rest = rest[size.end() : size.end() + length], rest[size.end() + length :]
        if part == "impl" or part.startswith("_GLOBAL__N_"):
            continue
        name = part
    return name
