# SPDX-License-Identifier: Apache-2.0
"""Files that are there as a whole or not at all, and never in the place of somebody else's.

Everything that seed_init writes under a name of its own or of the user's goes through here. The
text is written to a file beside the target, whose random name nobody can have prepared, opened so
that it is new and no link; then that file takes the target's name at once. Observed processes write
their plan and their record like this as well, so nothing heavy is imported.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME_MOST = 255
"""Bytes of a file's name (limits.h, NAME_MAX)."""


def replace(
    path: Path, content: "str | bytes", *, mode: int | None = None, durable: bool = False
) -> None:
    """Write a file, over the one that is there.

    A link is replaced and what it leads to left alone. A device or a pipe, which may have a link's
    name (/dev/stdout), is written to.

    Args:
        path: the file; its directory must exist.
        content: text goes out as UTF-8, surrogates as escapes.
        mode: of a new file, whatever the umask; None for what the umask leaves. A file that is
            there keeps its mode and its owner.
        durable: wait until the disk has it, so that it survives a failure of the machine.

    Raises:
        OSError: it cannot be written; what was at `path` is as it was.
    """
    if is_stream(path):
        _into_stream(path, content)
        return
    found = _status(path)
    keep = found if found is not None and stat.S_ISREG(found.st_mode) else None
    _beside(path, content, keep, mode, durable, os.replace)


def create(
    path: Path, content: "str | bytes", *, mode: int | None = None, durable: bool = False
) -> None:
    """Write a file where there is none.

    Args:
        path: as in `replace`.
        content: as in `replace`.
        mode: as in `replace`.
        durable: as in `replace`.

    Raises:
        FileExistsError: something is there, and be it a link that leads nowhere.
        OSError: it cannot be written, and is not there.
    """
    if _status(path) is not None:
        # Now, and not only when all is written.
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    _beside(path, content, None, mode, durable, _take_name)


def _status(path: Path) -> "os.stat_result | None":
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def is_stream(path: Path) -> bool:
    """True for what is no file that could be replaced: a device, a pipe, one's own descriptor."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    # /dev/stdout may lead to a file, and must stay what it is.
    place = os.path.realpath(path.parent)
    if place == "/dev" or place.startswith("/proc/"):
        return not stat.S_ISDIR(mode)
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _bytes(content: "str | bytes") -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")


def _into_stream(path: Path, content: "str | bytes") -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(handle, "wb") as file:
        file.write(_bytes(content))


def _beside(
    path: Path,
    content: "str | bytes",
    keep: "os.stat_result | None",
    mode: int | None,
    durable: bool,
    move: "Callable[[Path, Path], None]",
) -> None:
    """Write a file beside the target, and give it the target's name."""
    fresh = _fresh_name(path)
    # Nobody else may read what goes to a file of a mode that is not known yet.
    narrow = keep is not None or mode is not None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(fresh, flags, 0o600 if narrow else 0o666)
    except OSError as error:
        error.filename = str(path)  # the random name says nothing to a user
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            if keep is not None:
                _give(file.fileno(), keep)
            elif mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(_bytes(content))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        move(fresh, path)
        if durable:
            _sync_directory(path.parent)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def _fresh_name(path: Path) -> Path:
    # Random, not numbered by the process: numbers of processes repeat from container to container.
    end = f".{os.urandom(8).hex()}"
    start = os.fsencode(f".{path.name}")[: NAME_MOST - len(end)]
    return path.with_name(os.fsdecode(start) + end)


def _give(handle: int, keep: "os.stat_result") -> None:
    """Owner, group and permissions of the file that will be replaced."""
    mine, mode = os.fstat(handle), keep.st_mode & 0o777
    if (mine.st_uid, mine.st_gid) != (keep.st_uid, keep.st_gid):
        try:
            os.fchown(handle, keep.st_uid, keep.st_gid)
        except PermissionError:
            if mine.st_uid != keep.st_uid:
                raise  # somebody else's file
            mode &= 0o707  # what its group may do, ours need not be allowed
    os.fchmod(handle, mode)


def _take_name(fresh: Path, path: Path) -> None:
    """Rename, but never over something."""
    try:
        # Unlike a rename it fails where another process was faster.
        os.link(fresh, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. The name is taken by an empty file of our own first.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))
        try:
            fresh.replace(path)
        except OSError:
            path.unlink()
            raise
        return
    fresh.unlink()


def _sync_directory(directory: Path) -> None:
    """A name survives a failure of the machine when its directory is written."""
    with suppress(OSError):  # some file systems cannot
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
