# SPDX-License-Identifier: Apache-2.0
"""Make empty directories below the temporary directory, and clear away those of killed commands.

The names begin with `seed-init-` and the number of the user. The process that uses a directory
holds a lock on it. The kernel releases that lock when the process is gone, however it ended and
whatever container it was in. So the next command can tell which directories nobody uses any more.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from seed_init.proof.running import signals

YOUNG = 60
"""Seconds in which a directory may have been made and not yet locked."""

_NAME = re.compile(r"seed-init-\d+-(?:\d{1,3}|[a-z]+-[a-z0-9_]{8})")
"""The names that are made here: the user may have other directories that begin so."""

MOST = 1000
"""How many runs may go on at once below one temporary directory."""

TRIES = 10
"""How often a new directory may be cleared away by another command before it is locked."""


def is_ours(name: str) -> bool:
    """Return whether a directory has a name that is made here."""
    return _NAME.fullmatch(name) is not None


class RunDirectory:
    """A directory for runs that follow each other. Each of them finds it empty, at the same path.

    A command that makes several runs holds one such directory from the first run to the last. If
    each run looked for a directory of its own, another command that starts in between could take
    the name, and the runs of one command would see different paths.

    Runs in several threads need one each.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._handle: int | None = None

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *_: object) -> None:
        with signals.held():
            self._give_up()

    @contextlib.contextmanager
    def emptied(self) -> Iterator[Path]:
        """Make the directory empty for one run, and empty it again afterwards.

        The name is the first free one of a list, and stays the same until this object is left. The
        name is short, because the path of a socket in that directory has at most 107 bytes (man 7
        unix). If a run removes the directory, the next run gets a new one.

        Raises:
            OSError: no directory can be made.
        """
        path = self._claimed()
        try:
            yield path
        finally:
            with signals.held(), contextlib.suppress(OSError):
                _empty(path)

    def _claimed(self) -> Path:
        if self._path is not None and _is_at(self._handle, self._path):
            # What cannot be emptied, as without the permission, is left, and a new name taken.
            with contextlib.suppress(OSError):
                self._path.chmod(0o700)
                _empty(self._path)
                return self._path
        self._give_up()
        base = Path(tempfile.gettempdir()).absolute()
        for number in range(MOST):
            path = base / f"{_prefix()}{number}"
            handle = _take(path)
            if handle is not None:
                self._path, self._handle = path, handle
                return path
        raise _unusable(base, f"it has {MOST} directories of runs (seed-init-*), or")

    def _give_up(self) -> None:
        if self._path is None or self._handle is None:
            return
        if _is_at(self._handle, self._path):
            shutil.rmtree(self._path, ignore_errors=True)
        os.close(self._handle)
        self._path = self._handle = None


@contextlib.contextmanager
def results(purpose: str) -> Iterator[Path]:
    """Make an empty directory for what a command's runs leave behind, and remove it afterwards.

    The directories that killed commands of this user have left are removed first.

    Args:
        purpose: a word for the directory's name.

    Raises:
        OSError: no directory can be made.
    """
    clear()
    for _ in range(TRIES):
        path = Path(tempfile.mkdtemp(prefix=f"{_prefix()}{purpose}-")).absolute()
        handle = _take(path)
        if handle is not None:
            break
        # Another command has just cleared this directory away, or nobody can lock it.
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        raise _unusable(path.parent)
    with _used(path, handle):
        yield path


def clear() -> None:
    """Remove the directories of this user that nobody uses any more. Follows no links."""
    with contextlib.suppress(OSError):
        for path in Path(tempfile.gettempdir()).absolute().glob(f"{_prefix()}*"):
            if not _NAME.fullmatch(path.name) or time.time() - path.lstat().st_mtime < YOUNG:
                continue
            handle = _lock(path)
            if handle is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(handle)


def _unusable(base: Path, why: str = "") -> OSError:
    """Return the error of directories that cannot be locked, or are open to other users (vfat)."""
    return OSError(
        f"no directory of one's own in {base}: {why + ' ' if why else ''}its file system has no "
        "locks or no permissions; set TMPDIR to another one"
    )


def _prefix() -> str:
    return f"seed-init-{os.getuid()}-"


@contextlib.contextmanager
def _used(path: Path, handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        with signals.held():
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)


def _is_at(handle: int | None, path: Path) -> bool:
    """Return whether a descriptor is still open on the directory that is at a path."""
    try:
        return handle is not None and os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


def _take(path: Path) -> int | None:
    """Make a directory and lock it, or take over a directory that a killed run has left.

    Returns:
        The descriptor that holds the lock; None if another process holds it.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    handle = _lock(path)
    if handle is not None:
        try:
            _empty(path)
        except OSError:
            os.close(handle)
            return None
    return handle


def _lock(path: Path) -> int | None:
    """Lock a directory if it is this user's alone, and no process uses it.

    Returns:
        The descriptor that holds the lock; None for any other directory.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, named = os.fstat(handle), path.lstat()
        # It may have been removed and made again between open() and flock(), or never been ours.
        usable = os.path.samestat(mine, named) and mine.st_uid == os.getuid()
        if usable and stat.S_IMODE(mine.st_mode) & 0o077 == 0:
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _empty(path: Path) -> None:
    for left in path.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
