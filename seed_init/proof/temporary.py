"""An empty directory for one run, under the same name for every run."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seed_init.proof import interrupting

MOST = 1000
"""How many runs may go on at once below one directory."""


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """An empty directory of one's own below the temporary directory, removed afterwards.

    The first free one of a list of names: one run after the other gets the same name, runs at
    the same time get one each. The name is short, because the path of a socket in it has at most
    107 bytes (man 7 unix).

    Raises:
        OSError: none can be made.
    """
    base = Path(tempfile.gettempdir()).absolute()
    for number in range(MOST):
        path = base / f"seed-init-{os.getuid()}-{number}"
        handle = _take(path)
        if handle is not None:
            break
    else:
        raise OSError(f"{base} has {MOST} directories of runs: remove seed-init-* there")
    try:
        yield path
    finally:
        with interrupting.held():
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)


def _take(path: Path) -> int | None:
    """Make the directory and lock it, or take one over that a killed run has left.

    Returns:
        The descriptor that holds the lock; None where somebody else has it.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, named = os.fstat(handle), path.lstat()
        # Removed and made again between the two lines above, or never ours.
        usable = os.path.samestat(mine, named) and mine.st_uid == os.getuid()
        if usable and stat.S_IMODE(mine.st_mode) & 0o077 == 0:
            _empty(path)
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
