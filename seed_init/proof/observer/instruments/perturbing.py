# SPDX-License-Identifier: Apache-2.0
"""The instrument `perturbing` changes the order of directories, the time of day and the like.

    plan["layout"]    a key: the holes in Python's heap, and so where its objects will lie
    plan["listing"]   a key: os.listdir and os.scandir, hence os.walk, glob and pathlib, give the
                      entries in another order, which depends on the key and their names only
    plan["clock"]     seconds: added to what the module `time` tells of the time of day
    plan["cpus"]      a number: what os.cpu_count tells, and with it multiprocessing.cpu_count

Listings that are imports, or of the directories that Python's own files lie in, keep their order:
those belong to the image and not to the program's data. Clocks that measure (`time.monotonic`,
`time.perf_counter`) are left alone; `datetime.datetime` is a C type that asks the system itself
and cannot be reached from here.
"""

import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import core

IMPORTING = ("importlib", "pkgutil", "zipimport", "pkg_resources", "site")
"""Modules whose listings find code. The import system itself calls `posix.listdir`, not ours."""

CAPTURING = ("glob", "pathlib", "pathlib._local", "shutil")
"""Modules of the standard library that may hold the functions under a name of their own.

pathlib of Python 3.10 and glob of 3.13 do, and have been imported before this file.
"""

_listdir, _scandir = os.listdir, os.scandir


def start() -> None:
    """Change what the plan names, before user code runs."""
    if "layout" in core.plan:
        scatter(str(core.plan["layout"]))
    if "listing" in core.plan:
        shuffle_listings(str(core.plan["listing"]))
    if "clock" in core.plan:
        shift_clock(int(core.plan["clock"]))
    if "cpus" in core.plan:
        count_cpus(int(core.plan["cpus"]))


SIZE_STEP, SIZE_MOST = 16, 512
"""Bytes: the classes of sizes of Python's allocator for small objects (Objects/obmalloc.c)."""

EACH = 1024
"""How many objects of each class are made."""

_kept: list[Any] = []


def scatter(key: str) -> None:
    """Leave holes in Python's heap, which the program's objects will fill out of order.

    The kernel's randomisation moves whole pages. The last twelve bits of an address stay, which
    alone decide the order of a small set of objects.

    Args:
        key: another one, other holes.
    """
    head = sys.getsizeof(b"")
    blocks: dict[bytes, Any] = {
        blake2b(b"%d %d" % (size, number), digest_size=8, key=key.encode()[:64]).digest(): bytes(
            max(2, size - head)  # not 0 or 1, of which Python has one object for all
        )
        for size in range(SIZE_STEP * 3, SIZE_MOST + 1, SIZE_STEP)
        for number in range(EACH)
    }
    blocks |= {
        blake2b(b"small %d" % number, digest_size=8, key=key.encode()[:64]).digest(): (
            float(number) if number % 2 else object()
        )
        for number in range(2 * EACH)
    }
    # Every other one is given back, in another order than they were made.
    order = sorted(blocks)
    for rank in order[::2]:
        _kept.append(blocks[rank])
    for rank in order:
        del blocks[rank]


def shuffle_listings(key: str) -> None:
    """Make os.listdir and os.scandir give another order.

    Args:
        key: another one, another order; the same one, the same order.
    """

    def listdir(path: Any = None) -> Any:
        names = _listdir(path)
        if not _is_data(path, callers.above()):
            return names
        return reordered(names, [os.fsencode(name) for name in names], key)

    def scandir(path: Any = None) -> Any:
        opened = _scandir(path)
        if not _is_data(path, callers.above()):
            return opened
        with opened:
            entries = list(opened)
        return _Entries(reordered(entries, [os.fsencode(entry.name) for entry in entries], key))

    _replace("os", _listdir, _dressed(listdir, _listdir, "os"))
    _replace("os", _scandir, _dressed(scandir, _scandir, "os"))


def reordered(items: list[Any], names: list[bytes], key: str) -> list[Any]:
    """Return the items in the order that the key gives to their names.

    The first one is always another than before: often only the first is looked at, and a shuffle
    of few entries may leave them as they are.

    Args:
        items: what is ordered.
        names: one for each.
        key: of the order.
    """
    ranks = [blake2b(name, digest_size=8, key=key.encode()[:64]).digest() for name in names]
    order = sorted(range(len(items)), key=ranks.__getitem__)
    if len(order) > 1 and order[0] == 0:
        order.append(order.pop(0))
    return [items[index] for index in order]


class _Entries:
    """What os.scandir returns: an iterator and a context manager, with `close`."""

    def __init__(self, entries: "list[os.DirEntry[Any]]") -> None:
        self._left = iter(entries)

    def __iter__(self) -> "Iterator[os.DirEntry[Any]]":
        return self

    def __next__(self) -> "os.DirEntry[Any]":
        return next(self._left)

    def __enter__(self) -> "_Entries":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._left = iter(())


def _libraries() -> "tuple[str, ...]":
    known = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    known |= {os.path.realpath(path) for path in known}
    return tuple(sorted(path.rstrip("/") for path in known))


_LIBRARIES = _libraries()


def _is_data(path: Any, caller: Any) -> bool:
    """Whether a listing is of the program's data rather than of Python's own files.

    Args:
        path: as given to the function: text, bytes, a path, a file descriptor or None.
        caller: the frame that calls it; None where no code of Python's does.
    """
    if callers.module_of(caller).partition(".")[0] in IMPORTING:
        return False
    if path is None or isinstance(path, int):
        return True
    # Not resolve(): that would look at every part of the path.
    absolute = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
    if "/site-packages/" in absolute or "/dist-packages/" in absolute:
        return False
    return not any(
        absolute == library or absolute.startswith(library + "/") for library in _LIBRARIES
    )


def shift_clock(seconds: int) -> None:
    """Let the module `time` tell another time of day.

    Args:
        seconds: what is added.
    """
    real = {name: getattr(time, name) for name in ("time", "time_ns", "localtime", "gmtime")}
    ctime, asctime, strftime = time.ctime, time.asctime, time.strftime
    get, get_ns = time.clock_gettime, time.clock_gettime_ns

    def clock_gettime(clock: Any, /) -> float:
        return get(clock) + (seconds if clock == time.CLOCK_REALTIME else 0)

    def clock_gettime_ns(clock: Any, /) -> int:
        return get_ns(clock) + (seconds * 10**9 if clock == time.CLOCK_REALTIME else 0)

    def now(moment: Any) -> Any:
        return real["time"]() + seconds if moment is None else moment

    shifted: dict[Any, Callable[..., Any]] = {
        real["time"]: lambda: real["time"]() + seconds,
        real["time_ns"]: lambda: real["time_ns"]() + seconds * 10**9,
        get: clock_gettime,
        get_ns: clock_gettime_ns,
        real["localtime"]: lambda moment=None, /: real["localtime"](now(moment)),
        real["gmtime"]: lambda moment=None, /: real["gmtime"](now(moment)),
        ctime: lambda moment=None, /: ctime(now(moment)),
        asctime: lambda parts=None, /: asctime(parts or real["localtime"](now(None))),
        strftime: lambda form, parts=None, /: strftime(
            form, real["localtime"](now(None)) if parts is None else parts
        ),
    }
    for original, ours in shifted.items():
        _replace("time", original, _dressed(ours, original, "time"))


def count_cpus(number: int) -> None:
    """Let `os` tell another number of CPUs.

    os.sched_getaffinity is left alone: a program may set what that function gives.

    Args:
        number: what is told.
    """
    for name in ("cpu_count", "process_cpu_count"):  # the second one from Python 3.13 on
        original = getattr(os, name, None)
        if original is not None:
            _replace("os", original, _dressed(lambda: number, original, "os"))


def _dressed(ours: Any, original: Any, module: str) -> Any:
    """Return a stand-in with the name and the docstring of the function that it stands for.

    The module is where it can be found again, so that a reference to it can be pickled.
    """
    ours.__name__ = ours.__qualname__ = original.__name__
    ours.__module__, ours.__doc__ = module, original.__doc__
    # Compiled code leaves the graph at the original, too.
    ours._torchdynamo_disable = True
    return ours


def _replace(module: str, original: Any, ours: Any) -> None:
    setattr(sys.modules[module], original.__name__, ours)
    for functions in (os.supports_fd, os.supports_follow_symlinks):
        if original in functions:
            functions.add(ours)
    for name in CAPTURING:
        holder = sys.modules.get(name)
        if holder is None:
            continue
        classes = [value for value in vars(holder).values() if isinstance(value, type)]
        for owner in (holder, *classes):
            for key, value in list(vars(owner).items()):
                if value is original or getattr(value, "__func__", None) is original:
                    setattr(owner, key, ours if owner is holder else staticmethod(ours))
