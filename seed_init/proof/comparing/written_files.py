# SPDX-License-Identifier: Apache-2.0
"""What is in the files that runs have written, in a form that compares.

Tensors are compared by name, type, shape and values, because an archive's bytes hold more than
that (time stamps, the order of members). Other files are compared by their bytes.
"""

import ast
import glob
import hashlib
import json
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

from seed_init.proof.comparing import torch_files

Digests = dict[str, dict[str, str]]
"""Path of a file -> name of an entry in it -> "KIND TYPE SHAPE SHA-256".

KIND is `tensor`, `value` (a number or a text beside the tensors), `member` (of an archive that
could not be read as tensors), `text` or `bytes` (a whole file: its one entry is named ""). A short
value stands there itself, in place of its SHA-256.
"""

TORCH = (".pt", ".pth", ".bin", ".ckpt")

CHUNK = 1 << 20

TEXT_MAX = 8 << 20
"""Bytes of a text file of which a copy is kept."""

SNAPSHOT_MAX = 50_000
"""Files of a working directory that are looked at."""

_LEFT_OUT = (".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv")


class Unreadable(Exception):
    """A file cannot be read. The text is one line for the user."""


def digest_files(
    globs: Sequence[str], root: Path, python: str = sys.executable, keep: Path | None = None
) -> Digests:
    """The content of files.

    Args:
        globs: patterns, relative to root or absolute; ** stands for any directories.
        root: a directory.
        python: an interpreter that has the user's torch, for .pt, .pth, .bin and .ckpt. Where it
            has none, or refuses the file, the archive's members are compared.
        keep: where copies of text files are put for `first_difference`; None for no copies.

    Raises:
        Unreadable: a file, or a part of it, cannot be read.
    """
    paths = matching(globs, root)
    torch_files = [path for name, path in paths.items() if name.endswith(TORCH)]
    loaded = _load_with_torch(torch_files, python) if torch_files else {}
    digests: Digests = {}
    for name, path in paths.items():
        try:
            entries = loaded.get(str(path.absolute()))
            digests[name] = entries if entries is not None else _digest(path, keep)
        except OSError as error:
            raise Unreadable(
                f"{path} cannot be read ({error.strerror}); check its rights, or leave it out"
            ) from None
    return digests


def matching(globs: Sequence[str], root: Path) -> dict[str, Path]:
    """The regular files that patterns name: name relative to root (else absolute) -> path."""
    paths = {}
    for pattern in globs:
        # Path.glob takes no absolute pattern.
        for name in glob.glob(pattern, root_dir=root, recursive=True):  # noqa: PTH207
            path = root / name
            if path.is_file():
                inside = path.is_relative_to(root)
                paths[str(path.relative_to(root) if inside else path)] = path
    return dict(sorted(paths.items()))


def unmatched(globs: Sequence[str], root: Path) -> list[str]:
    """The patterns that name no file."""
    return [pattern for pattern in globs if not matching([pattern], root)]


def _load_with_torch(files: list[Path], python: str) -> Digests:
    """Return the digests of the files that torch can read; other files are left out."""
    try:
        done = subprocess.run(
            # Not as a file: its directory would be searched for torch's imports. Nor with -I: the
            # user's torch may be on PYTHONPATH.
            [python, "-c", Path(torch_files.__file__).read_text(encoding="utf-8")],
            cwd="/",
            input=json.dumps([str(file.absolute()) for file in files]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=torch_files.environment(),
        )
        read: Digests = json.loads(done.stdout)
        return read
    except (OSError, ValueError):
        return {}


def _digest(path: Path, keep: Path | None) -> dict[str, str]:
    reader = _READERS.get(path.suffix)
    if reader is not None:
        try:
            return reader(path)
        except OSError:
            raise
        except Exception:
            pass  # only named so, or broken: its bytes compare as well
    return {"": _whole(path, keep)}


def _whole(path: Path, keep: Path | None) -> str:
    digest, size, text = hashlib.sha256(), 0, True
    with path.open("rb") as content:
        while piece := content.read(CHUNK):
            digest.update(piece)
            size += len(piece)
            # As git tells it.
            text = text and b"\0" not in piece
    known = digest.hexdigest()
    if keep is not None and text and size <= TEXT_MAX:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, keep / known)
    return f"{'text' if text else 'bytes'} - [{size}] {known}"


def _hashed(content: IO[bytes], size: int | None = None) -> str:
    """SHA-256 of what follows in a file.

    Args:
        content: the file.
        size: bytes; all if None.

    Raises:
        ValueError: there are fewer.
    """
    digest = hashlib.sha256()
    left = size
    while piece := content.read(CHUNK if left is None else min(CHUNK, left)):
        digest.update(piece)
        left = None if left is None else left - len(piece)
    if left:
        raise ValueError("the file is shorter than it says")
    return digest.hexdigest()


def _shape(sizes: Iterable[int]) -> str:
    return f"[{','.join(map(str, sizes))}]"


def _members(path: Path) -> dict[str, str]:
    """The members of a zip archive, without their time stamps and without torch's own root."""
    with zipfile.ZipFile(path) as archive:
        entries = {}
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as content:
                    name = member.filename.partition("/")[2] or member.filename
                    entries[name] = f"member - [{member.file_size}] {_hashed(content)}"
        return entries


def _safetensors(path: Path) -> dict[str, str]:
    """Eight bytes with the length of a JSON header, the header, the data (safetensors' README)."""
    with path.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        if length > path.stat().st_size:
            raise ValueError("no header")
        header = json.loads(content.read(length))
        entries = {}
        metadata = header.pop("__metadata__", None)
        if metadata is not None:
            exact = json.dumps(metadata, sort_keys=True).encode()
            entries["__metadata__"] = f"value dict [] {hashlib.sha256(exact).hexdigest()}"
        for name, tensor in header.items():
            begin, end = tensor["data_offsets"]
            content.seek(8 + length + begin)
            kind = f"{tensor['dtype']} {_shape(tensor['shape'])}"
            entries[name] = f"tensor {kind} {_hashed(content, end - begin)}"
        return entries


def _npz(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        entries = {}
        for member in archive.infolist():
            with archive.open(member) as content:
                if member.filename.endswith(".npy"):
                    entries[member.filename.removesuffix(".npy")] = _array(content)
                else:
                    kind = f"member - [{member.file_size}]"
                    entries[member.filename] = f"{kind} {_hashed(content)}"
        return entries


def _npy(path: Path) -> dict[str, str]:
    with path.open("rb") as content:
        return {"": _array(content)}


def _array(content: IO[bytes]) -> str:
    """Type, shape and values of an array in NumPy's format (numpy/lib/format.py).

    Raises:
        ValueError: the content is not such an array.
    """
    start = content.read(8)
    if start[:6] != b"\x93NUMPY":
        raise ValueError("no array")
    size = "<H" if start[6] == 1 else "<I"
    (length,) = struct.unpack(size, content.read(struct.calcsize(size)))
    header = ast.literal_eval(content.read(length).decode("utf-8"))
    descr, shape = header["descr"], header["shape"]
    kind = descr if isinstance(descr, str) else json.dumps(descr).replace(" ", "")
    if header["fortran_order"] and len(shape) > 1:
        data = content.read()
        count = prod(shape)
        item = len(data) // count if count else 1
        if item * count != len(data) or (isinstance(descr, str) and "O" in descr):
            raise ValueError("not as long as it says")
        digest = hashlib.sha256()
        for row in _rows(data, shape, item):
            digest.update(row)
        values = digest.hexdigest()
    else:
        values = _hashed(content)
    return f"tensor {kind} {_shape(shape)} {values}"


def _rows(data: bytes, shape: Sequence[int], item: int) -> Iterator[bytes]:
    """The bytes of an array in Fortran order, put into C order, row by row.

    Args:
        data: of the array.
        shape: of two dimensions or more.
        item: bytes of an element.
    """
    # memoryview steps over items of these sizes as fast as a copy; one of another size is told
    # by its index.
    formats: dict[int, Any] = {1: "B", 2: "H", 4: "I", 8: "Q"}
    view: Any = memoryview(data).cast(formats[item]) if item in formats else _Items(data, item)

    def rows(part: Any, sizes: Sequence[int]) -> Iterator[bytes]:
        if len(sizes) == 1:
            yield part.tobytes()
            return
        for index in range(sizes[0]):
            yield from rows(part[index :: sizes[0]], sizes[1:])

    if prod(shape):
        yield from rows(view, shape)


class _Items:
    """Items of any size, sliced as a memoryview is."""

    def __init__(self, data: bytes, item: int, indices: range | None = None) -> None:
        self._data = data
        self._item = item
        self._indices = range(len(data) // item) if indices is None else indices

    def __getitem__(self, indices: slice) -> "_Items":
        return _Items(self._data, self._item, self._indices[indices])

    def tobytes(self) -> bytes:
        size = self._item
        return b"".join(self._data[index * size : (index + 1) * size] for index in self._indices)


_READERS: dict[str, Callable[[Path], dict[str, str]]] = {
    **dict.fromkeys(TORCH, _members),
    ".safetensors": _safetensors,
    ".npz": _npz,
    ".npy": _npy,
}


@dataclass(frozen=True)
class FileDifference:
    """The first difference between what two runs have written.

    Attributes:
        file: its path.
        entry: the tensor, value or member in it; "" for the file as a whole.
        what: "missing", "kind", "dtype", "shape", "values", or "line" of a text.
        values: the two sides, as texts.
        line: number of the first different line of a text; None where it is not known.
    """

    file: str
    entry: str
    what: str
    values: tuple[str, str]
    line: int | None = None

    def as_line(self, names: tuple[str, str] = ("run 1", "run 2")) -> str:
        """The difference in one line.

        Args:
            names: of the runs.
        """
        subject = f"{self.file}, {self.entry}" if self.entry else self.file
        what = f"line {self.line}" if self.what == "line" else self.what
        sides = ", ".join(f"{value} in {name}" for name, value in zip(names, self.values))
        return f"{subject}: {what} ({sides})"


def first_difference(
    first: Digests, second: Digests, keep: Path | None = None
) -> FileDifference | None:
    """The first difference, in the order of files and, in a file, of its entries.

    Args:
        first: of one run.
        second: of another one.
        keep: where `digest_files` put copies of text files.
    """
    for file in sorted({*first, *second}):
        if file not in first or file not in second:
            return FileDifference(file, "", "missing", _presence(file in first))
        first_entries, second_entries = first[file], second[file]
        # In the order of the file: an earlier layer comes first.
        for entry in {**first_entries, **second_entries}:
            if entry not in first_entries or entry not in second_entries:
                return FileDifference(file, entry, "missing", _presence(entry in first_entries))
            if first_entries[entry] != second_entries[entry]:
                return _entries_differ(
                    file, entry, first_entries[entry], second_entries[entry], keep
                )
    return None


def _presence(in_first: bool) -> tuple[str, str]:
    return ("present", "missing") if in_first else ("missing", "present")


def _entries_differ(
    file: str, entry: str, first: str, second: str, keep: Path | None
) -> FileDifference:
    parts = first.split(" ", 3), second.split(" ", 3)
    kinds = parts[0][0], parts[1][0]
    if kinds == ("text", "text") and keep is not None:
        line = _different_line(keep / parts[0][3], keep / parts[1][3])
        if line is not None:
            return FileDifference(file, entry, "line", line[1:], line[0])
    names = ("kind", "dtype", "shape", "values")
    for what, here, there in zip(names, *parts):
        # The size of a whole file tells less than that its content is another one.
        if here != there and not (what == "shape" and kinds[0] != "tensor"):
            if what == "values" and kinds[0] != "value":
                return FileDifference(
                    file, entry, what, (f"sha256 {here[:16]}", f"sha256 {there[:16]}")
                )
            return FileDifference(file, entry, what, (here, there))
    return FileDifference(file, entry, "values", (first, second))


def _different_line(first: Path, second: Path) -> tuple[int, str, str] | None:
    from seed_init.proof.comparing import output_lines

    if not (first.is_file() and second.is_file()):
        return None
    lines = output_lines.compare(first, second).first
    if lines is None:
        return None
    number = next(line.number for line in lines if line is not None)
    here, there = ("(the file has ended)" if line is None else line.text for line in lines)
    return number, here, there


Snapshot = dict[str, tuple[int, int, int]]
"""Path -> time of its last change in ns, size, inode: another one where a file was written."""


def snapshot(root: Path) -> Snapshot:
    """The state of files, so that it can be told which of them a run has written.

    Args:
        root: the working directory: every file below it, up to SNAPSHOT_MAX, but those of version
            control and caches of Python.
    """
    seen: Snapshot = {}
    for name, path in _below(root):
        try:
            state = path.stat()
        except OSError:
            continue
        seen[name] = (state.st_mtime_ns, state.st_size, state.st_ino)
        if len(seen) >= SNAPSHOT_MAX:
            break
    return seen


def _below(root: Path) -> Iterator[tuple[str, Path]]:
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        try:
            entries = sorted(directory.iterdir())
        except OSError:
            continue
        for path in entries:
            if path.is_symlink():
                continue
            if path.is_dir():
                if path.name not in _LEFT_OUT:
                    waiting.append(path)
            elif path.is_file():
                yield str(path.relative_to(root)), path


def written(before: Snapshot, after: Snapshot) -> set[str]:
    """The files that were written between two snapshots."""
    return {name for name, state in after.items() if before.get(name) != state}


def inherited(before_runs: Sequence[Snapshot], after_runs: Sequence[Snapshot]) -> dict[str, int]:
    """The files that a run found and a former run had written: it may have read them.

    A checkpoint to resume from is one: then the second run does not do what the first one did.

    Args:
        before_runs: a snapshot before each run.
        after_runs: and one after each.

    Returns:
        Path -> number of the run (from 0) that wrote it, of the first that did.
    """
    writers: dict[str, int] = {}
    by: dict[str, int] = {}
    for number, (before, after) in enumerate(zip(before_runs, after_runs)):
        for name in sorted(before.keys() & by.keys()):
            writers.setdefault(name, by[name])
        for name in written(before, after):
            by.setdefault(name, number)
    return writers
