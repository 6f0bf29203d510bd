# SPDX-License-Identifier: Apache-2.0
"""Where a run works that must not find what another run has written, such as its checkpoints.

The user's words may name a directory: `{dir}` stands for one that is empty when a run begins. The
run works in the user's working directory then. Without that word, the run works in a copy of the
working directory. In either case nothing that is the user's is moved or removed.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running.commands import CannotStart

WORD = "{dir}"
"""Stands for a directory of the run's own in the words of a command and in patterns of files."""

MOST_BYTES = 1 << 30
"""Bytes of a working directory that is copied."""

MOST_FILES = 20_000
"""Files and directories of one."""

LEFT_OUT = (".git", ".hg", ".svn", "__pycache__")
"""Directories that no run needs."""

HOW = (
    f"write {WORD} in the command where a directory of its own for checkpoints belongs, such as "
    f"--output {WORD}, and it runs in this directory"
)


@dataclass(frozen=True)
class Place:
    """Where a run works.

    Attributes:
        cwd: its working directory.
        directory: what `{dir}` stands for.
        notes: one line each about what a reader should know.
    """

    cwd: Path
    directory: Path
    notes: tuple[str, ...] = field(default=())

    def words(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return words with the directory in them.

        Args:
            words: of a command, or patterns of files.
        """
        return tuple(word.replace(WORD, str(self.directory)) for word in words)

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return an environment whose PWD is the working directory, where it has one.

        Args:
            environment: the user's.
        """
        changed = {"PWD": str(self.cwd)} if "PWD" in environment else {}
        return {**environment, **changed}


def is_named(*commands: Sequence[str]) -> bool:
    """Return whether a word of some commands has `{dir}` in it."""
    return any(WORD in word for words in commands for word in words)


def made(own: Path, cwd: Path, is_copied: bool) -> Place:
    """Make the place of a run.

    Args:
        own: an empty directory.
        cwd: the user's working directory.
        is_copied: whether the run works in a copy of it.

    Raises:
        CannotStart: it is too large to be copied, or cannot be read.
        OSError: there is no room for the copy.
    """
    directory = own / "dir"
    directory.mkdir()
    if not is_copied:
        return Place(cwd, directory)
    copy = own / (cwd.name or "root")
    if copy == directory:
        copy = own / "dir-copy"
    return Place(copy, directory, tuple(_Copying(cwd).copy(copy)))


class _Copying:
    """Copies a working directory, and stops where it is too large.

    Args:
        root: the directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bytes = self._files = 0
        self._notes: list[str] = []

    def copy(self, to: Path) -> list[str]:
        """Copy the directory; return a line for each thing in it that is no copy."""
        # Before anything is written: a directory that is too large must not fill a disk.
        for path in _below(self._root):
            self._count(path)
        try:
            self._directory(self._root, to)
        except PermissionError as error:
            shown = without_secrets(str(error.filename), is_word=True)
            raise CannotStart(
                f"{shown} cannot be read, and each run works in a copy of this directory; {HOW}"
            ) from None
        return self._notes

    def _count(self, path: Path) -> None:
        about = path.lstat()
        self._files += 1
        self._bytes += about.st_size if stat.S_ISREG(about.st_mode) else 0
        if self._bytes > MOST_BYTES or self._files > MOST_FILES:
            much = (
                f"{MOST_BYTES >> 30} GiB" if self._bytes > MOST_BYTES else f"{MOST_FILES:,} files"
            )
            raise CannotStart(
                f"this directory has more than {much}, and each run would work in a copy of it, so "
                f"that no run finds the checkpoints of another; {HOW}"
            )

    def _directory(self, source: Path, to: Path) -> None:
        to.mkdir(parents=True)
        for path in sorted(source.iterdir()):
            self._entry(path, to / path.name)
        shutil.copystat(source, to)
        # The run writes into it, and it is removed afterwards.
        to.chmod(stat.S_IMODE(to.stat().st_mode) | stat.S_IRWXU)

    def _entry(self, path: Path, to: Path) -> None:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            self._link(path, to)
        elif stat.S_ISDIR(mode) and _is_environment(path):
            to.symlink_to(path.absolute())
        elif stat.S_ISDIR(mode):
            if path.name not in LEFT_OUT:
                self._directory(path, to)
        elif stat.S_ISREG(mode):
            shutil.copy2(path, to)

    def _link(self, path: Path, to: Path) -> None:
        """Copy a link; one that leads out of the directory leads to the same place."""
        target = path.readlink()
        inside = not target.is_absolute() and (path.parent / target).resolve().is_relative_to(
            self._root.resolve()
        )
        to.symlink_to(target if inside else path.parent.absolute() / target)
        if not inside:
            name = without_secrets(str(path.relative_to(self._root)), is_word=True)
            self._notes.append(
                f"{name} leads out of this directory and is no copy: if checkpoints are written "
                f"there, {HOW}"
            )


def _below(root: Path) -> Iterator[Path]:
    """Yield everything below a directory that is copied."""
    waiting = [root]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except PermissionError:
            continue  # the copying says so
        for entry in entries:
            path = Path(entry.path)
            is_directory = entry.is_dir(follow_symlinks=False)
            if not is_directory:
                yield path
            elif entry.name not in LEFT_OUT and not _is_environment(path):
                yield path
                waiting.append(path)


def _is_environment(path: Path) -> bool:
    """Return whether a directory is a virtual environment, which no run changes."""
    return (path / "pyvenv.cfg").is_file()
