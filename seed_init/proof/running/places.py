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
from seed_init.proof.running import workspace
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
        shared: where the run must not write, because the user's own files are there: the directory
            that was copied, and what links in it lead to. Real paths.
    """

    cwd: Path
    directory: Path
    notes: tuple[str, ...] = field(default=())
    shared: tuple[Path, ...] = field(default=())

    def is_shared(self, path: Path) -> bool:
        """Return whether a path, or what it leads to, is the user's own.

        Args:
            path: an absolute path.
        """
        real, own = _real(path), _real(self.directory.parent)
        return not real.is_relative_to(own) and any(map(real.is_relative_to, self.shared))

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


def refuse_half_named(command: Sequence[str], resume_command: Sequence[str]) -> None:
    """Refuse a word that only one of two commands has: they would work in different places.

    Args:
        command: the words of the command that is stopped.
        resume_command: the words of the command that goes on; empty where both are the same.

    Raises:
        CannotStart: one has the word, and the other has not.
    """
    if resume_command and is_named(command) != is_named(resume_command):
        there, missing = ("the command", "--resume-command")
        if is_named(resume_command):
            there, missing = missing, there
        raise CannotStart(
            f"{WORD} is in {there} and not in {missing}, so that the run which goes on would not "
            "look where the stopped run has worked; write it in both, or in none"
        )


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
    copying = _Copying(cwd, without=own)
    copying.copy(copy)
    return Place(copy, directory, tuple(copying.notes), tuple(copying.shared))


class _Copying:
    """Copies a working directory, and stops where it is too large.

    Args:
        root: the directory.
        without: the directory of the run, which may be in it. Others of ours are left out as well.

    Attributes:
        notes: a line for each thing in it that is no copy.
        shared: real paths of the directory and of what links in it lead to.
    """

    def __init__(self, root: Path, without: Path) -> None:
        self._root = root
        self._without = _real(without.parent)
        self._bytes = self._files = 0
        self._to = root
        self.notes: list[str] = []
        self.shared = [_real(root)]

    def copy(self, to: Path) -> None:
        """Copy the directory."""
        self._to = to
        # Before anything is written: a directory that is too large must not fill a disk.
        for path in self._below(self._root):
            self._count(path)
        try:
            self._directory(self._root, to)
        except PermissionError as error:
            shown = without_secrets(str(error.filename), is_word=True)
            raise CannotStart(
                f"{shown} cannot be read, and each run works in a copy of this directory; {HOW}"
            ) from None

    def _is_left_out(self, path: Path) -> bool:
        """Return whether a directory is one that no run needs, or one of ours."""
        if path.name in LEFT_OUT:
            return True
        return workspace.is_ours(path.name) and _real(path.parent) == self._without

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
            if not self._is_left_out(path):
                self._directory(path, to)
        elif stat.S_ISREG(mode):
            shutil.copy2(path, to)

    def _link(self, path: Path, to: Path) -> None:
        """Copy a link: into the copy, or to the same place if it leads out of the directory."""
        target = path.parent.absolute() / path.readlink()
        real, root = _real(target), _real(self._root)
        if real.is_relative_to(root) and not self._is_below_left_out(real.relative_to(root)):
            to.symlink_to(os.path.relpath(self._to / real.relative_to(root), to.parent))
            return
        to.symlink_to(target)
        self.shared.append(real)
        name = without_secrets(str(path.relative_to(self._root)), is_word=True)
        self.notes.append(
            f"{name} leads out of this directory and is no copy: if checkpoints are written "
            f"there, {HOW}"
        )

    def _is_below_left_out(self, name: Path) -> bool:
        places = [self._root / part for part in (name, *name.parents)]
        return any(self._is_left_out(place) or _is_environment(place) for place in places)

    def _below(self, root: Path) -> Iterator[Path]:
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
                elif not (self._is_left_out(path) or _is_environment(path)):
                    yield path
                    waiting.append(path)


def _real(path: Path) -> Path:
    # Path.resolve raises for links that lead to each other.
    return Path(os.path.realpath(path))


def _is_environment(path: Path) -> bool:
    """Return whether a directory is a virtual environment, which no run changes."""
    return (path / "pyvenv.cfg").is_file()
