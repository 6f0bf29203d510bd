# SPDX-License-Identifier: Apache-2.0
"""The instrument `files` writes which data files the program reads and writes.

By an audit hook, which sees what is opened through Python; what a native library opens by itself
(OpenCV, HDF5, safetensors) it does not see. Only paths are noted here, because to read a file twice
would slow the program. `data_files` hashes them when the run is over, and tells by size and time of
change whether a file has been changed since.

Events, each once in a process, when a file is opened for the first time:

    {"event": "file", "mode": "read", "path", "size", "changed": ns since the epoch}
    {"event": "file", "mode": "written", "path"}
"""

import os
import stat
import sys
from _thread import get_ident
from typing import Any

from seed_init.proof.observer import callbacks, core

MOST = 10000
"""Paths of each kind that a process notes; beyond that it only counts."""

_SUFFIXES = (".py", ".pyc", ".pyi", ".pth", ".so", ".typed", ".egg-link")
_DIRECTORIES = (
    *("/proc/", "/sys/", "/dev/", "/run/", "/etc/", "/bin/", "/sbin/", "/lib/", "/lib64/"),
    *("/usr/bin/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/", "/usr/share/"),
)
_PARTS = ("/site-packages/", "/dist-packages/", "/__pycache__/", "/.git/")

_seen: set[tuple[str, bool]] = set()
_noted = {"read": 0, "written": 0}
_busy: set[int] = set()
"""Threads that are noting a file: what they open meanwhile is none of the program's."""

_directories: tuple[str, ...] = _DIRECTORIES


def start() -> None:
    """Note every file from now on."""
    global _directories
    traces = os.path.abspath(core.journal.directory)  # noqa: PTH100  as what is opened
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix, traces}
    library = os.path.dirname(os.__file__)  # noqa: PTH120
    # In a base interpreter the prefix may be /usr, where the user's data may be as well.
    _directories = (
        *_DIRECTORIES,
        *(f"{directory}/" for directory in {*own, library} if directory not in ("/usr", "/")),
    )
    note = core.guarded(_note)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Called for every audit event of the process: this comparison is all that most may cost.
        if event == "open":
            note(*arguments)

    sys.addaudithook(hook)
    callbacks.after_import("torch", _watch_saving)
    callbacks.at_end(_end)


def _note(path: Any, mode: Any, flags: Any) -> None:
    here = get_ident()
    if here in _busy or isinstance(path, int):
        return
    _busy.add(here)
    try:
        # abspath and not the name: the program may change its directory.
        key = os.path.abspath(os.fsdecode(path)), _writes(mode, flags)  # noqa: PTH100
        if key not in _seen:
            _seen.add(key)
            if _is_data(key[0]):
                _write(*key)
    finally:
        _busy.discard(here)


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return not {"w", "a", "x", "+"}.isdisjoint(mode)
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_data(path: str) -> bool:
    return not (
        path.endswith(_SUFFIXES)
        or path.startswith(_directories)
        or any(part in path for part in _PARTS)
    )


def _write(path: str, writes: bool) -> None:
    fields: dict[str, Any] = {"mode": "written" if writes else "read", "path": path}
    if not writes:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return  # looked for, and not there
        if not stat.S_ISREG(status.st_mode):
            return
        fields |= {"size": status.st_size, "changed": status.st_mtime_ns}
    _noted[fields["mode"]] += 1
    if _noted[fields["mode"]] <= MOST:
        core.journal.write("file", **fields)


def _watch_saving() -> None:
    """Note what `torch.save` writes: it opens files in C++ (torch/serialization.py)."""
    writer: Any = getattr(sys.modules["torch"].serialization, "_open_zipfile_writer_file", None)
    if writer is None:
        return
    original, note = writer.__init__, core.guarded(_note)

    def init(self: Any, name: Any, *arguments: Any, **keywords: Any) -> None:
        note(name, "w", 0)
        original(self, name, *arguments, **keywords)

    writer.__init__ = init


def _end() -> None:
    more = {mode: max(0, number - MOST) for mode, number in _noted.items()}
    if any(more.values()):
        core.journal.write("files", more=more)
