# SPDX-License-Identifier: Apache-2.0
"""Write files that are there as a whole or not at all, and never over somebody else's.

Everything that seed_init writes goes through here. The text is written to a file beside the target.
That file has a random name, which nobody can have prepared, and is opened so that it is new and no
link. Then it takes the target's name in one step. Observed processes write their plan and their
record in this way as well, so this module imports nothing heavy.
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
"""How many bytes a file's name has at most (limits.h, NAME_MAX)."""


def replace(
    path: Path, content: "str | bytes", *, mode: int | None = None, durable: bool = False
) -> None:
    """Write a file, and replace the file that is there.

    If `path` is a link, the link is replaced, and the file that it leads to stays. If `path` is a
    device or a pipe, or a link to one (/dev/stdout), the content is written into it.

    Args:
        path: the file; its directory must exist.
        content: the content; a text is encoded as UTF-8, with surrogates as escapes.
        mode: the mode of a new file, whatever the umask; if None, the umask decides. A file that is
            there keeps its mode and its owner.
        durable: whether to wait until the disk has the file, which then survives a failure of the
            machine.

    Raises:
        OSError: the file cannot be written; what was at `path` is unchanged.
    """
    if is_stream(path):
        _into_stream(path, content)
        return
    present = _status(path)
    keep = present if present is not None and stat.S_ISREG(present.st_mode) else None
    _beside(path, content, keep, mode, durable, os.replace)


def create(
    path: Path, content: "str | bytes", *, mode: int | None = None, durable: bool = False
) -> None:
    """Write a new file.

    Args:
        path: as in `replace`.
        content: as in `replace`.
        mode: as in `replace`.
        durable: as in `replace`.

    Raises:
        FileExistsError: something is there, even if it is a link that leads nowhere.
        OSError: the file cannot be written, and none is there.
    """
    if _status(path) is not None:
        # The user hears of it now, and not only after everything is written.
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    _beside(path, content, None, mode, durable, _take_name)


def _status(path: Path) -> "os.stat_result | None":
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def is_stream(path: Path) -> bool:
    """Return whether a path is written into and never replaced: a device, a pipe, a descriptor."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    # /dev/stdout may lead to a file, and must stay a link to it.
    folder = os.path.realpath(path.parent)
    if folder == "/dev" or folder.startswith("/proc/"):
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
    """Write a file beside the target, and move that file to the target's name."""
    fresh = _fresh_name(path)
    # While the file does not have its final mode, nobody else may read it.
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
    """Give a new file the owner, group and permissions of the file that it will replace."""
    mine, mode = os.fstat(handle), keep.st_mode & 0o777
    if (mine.st_uid, mine.st_gid) != (keep.st_uid, keep.st_gid):
        try:
            os.fchown(handle, keep.st_uid, keep.st_gid)
        except PermissionError:
            if mine.st_uid != keep.st_uid:
                raise  # another user owns the file
            mode &= 0o707  # our group must not get the permissions of the other group
    os.fchmod(handle, mode)


def _take_name(fresh: Path, path: Path) -> None:
    """Rename a file, but never over something that is there."""
    try:
        # Unlike a rename, a link fails if another process has made the target meanwhile.
        os.link(fresh, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # This file system has no hard links, so an empty file of our own takes the name first.
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
    """Write a directory to the disk: only then do new names survive a failure of the machine."""
    with suppress(OSError):  # some file systems cannot
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
