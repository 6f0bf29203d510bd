"""The lists in the docstring of torch.use_deterministic_algorithms."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

LISTS = {
    "deterministic": r"will act\s+deterministically when ``mode=True``",
    "raises": r"will throw a\s+:class:`RuntimeError` when ``mode=True``",
    "cublas": r"will be raised from these operations when called with CUDA",
}
"""List -> the end of the sentence before it. The third is in releases before 2.10."""

ENTRY = re.compile(r"^\s*\* :\w+:`(?P<name>[\w.]+)`(?P<text>.*)$")
MODE = re.compile(r"^\s*- (``\w+``)$")


@dataclass(frozen=True)
class Entry:
    """One operator in one list.

    Attributes:
        name: such as "torch.Tensor.put_".
        text: under which conditions; of an entry with a list of modes, one of them at the end.
        where: the list.
    """

    name: str
    text: str
    where: str


def docstring(source: Path) -> str:
    """That of `use_deterministic_algorithms`, from torch's `__init__.py`, which is not run."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "use_deterministic_algorithms":
            return ast.get_docstring(node) or ""
    raise ValueError(f"no use_deterministic_algorithms in {source}")


def entries(text: str) -> list[Entry]:
    """The entries of all lists of the docstring."""
    starts = {where: re.search(pattern, text) for where, pattern in LISTS.items()}
    return [
        entry
        for where, found in starts.items()
        if found
        for entry in _of_list(text[found.end() :], where)
    ]


def _of_list(text: str, where: str) -> list[Entry]:
    found: list[tuple[str, list[str], list[str]]] = []
    for line in text.splitlines()[1:]:
        if entry := ENTRY.match(line):
            found.append((entry["name"], [entry["text"]], []))
        elif mode := MODE.match(line):
            found[-1][2].append(mode[1])
        elif line and not line.startswith(" "):
            break
        elif line.strip():
            found[-1][1].append(line)
    told = [(name, " ".join(" ".join(words).split()), modes) for name, words, modes in found]
    return [
        Entry(name, f"{words} {mode}".strip(), where)
        for name, words, modes in told
        for mode in modes or [""]
    ]
