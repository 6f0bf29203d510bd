# SPDX-License-Identifier: Apache-2.0
"""The trace directory: what the observed processes of one run write, and how it is read back.

    DIRECTORY/plan.json             what is to be observed; absent: steps and the end
    DIRECTORY/<start>-<pid>.jsonl   one file per process, one JSON object per line
    DIRECTORY/<start>-<pid>.lost    empty: an event of that process could not be written

The first line of a file describes its process (`{"event": "process", ...}`), each other one is an
event. A line is written with one `write`, so that a killed process leaves whole lines but perhaps
the last, which is skipped when read.
"""

import errno
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seed_init.system import writing

LOST = ".lost"

FORMAT = 1
"""Of the events. Another number: another meaning of what is in a file."""

UNREADABLE = 2
"""In place of the number of a tensor that could not be read, which is an event "failed" as well."""

DEFAULT_PLAN: dict[str, Any] = {"instruments": ["steps", "end"]}


class Journal:
    """Writes this process's events. A forked child gets a file of its own.

    Args:
        directory: the trace directory, which exists.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file = Path()
        self._handle: int | None = None
        self._identity = (0, 0)
        self._pid = 0
        self._cut = False  # the last line was not written to its end

    def write(self, event: str, **fields: Any) -> None:
        """Append one event.

        Args:
            event: its kind.
            fields: what JSON can hold.
        """
        try:
            if self._pid != os.getpid():
                self._begin()
            elif not self._is_open():
                self._open()
            self._put({"event": event, **fields})
        except OSError:
            # A full disk, or a limit of the program's, has room for a name mostly.
            with suppress(OSError):
                self._file.with_suffix(LOST).touch()
            raise

    def _put(self, content: dict[str, Any]) -> None:
        line = (json.dumps(content, separators=(",", ":")) + "\n").encode()
        if self._cut:
            line = b"\n" + line
        assert self._handle is not None
        self._cut = os.write(self._handle, line) < len(line)
        if self._cut:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._file))

    def _is_open(self) -> bool:
        """Whether the descriptor is still ours.

        A program may close all of them (a daemon does), and get the number for a file of its own.
        """
        try:
            state = os.fstat(self._handle or 0)
        except OSError:
            return False
        return (state.st_dev, state.st_ino) == self._identity

    def _open(self, more: int = 0) -> None:
        # Other users may write to the directory: what they put there is not written through.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(self._file, flags | more, 0o644)
        state = os.fstat(self._handle)
        self._identity = state.st_dev, state.st_ino

    def _begin(self) -> None:
        from seed_init.hook import state
        from seed_init.proof.redaction import redaction

        pid = os.getpid()
        name = f"{time.time_ns()}-{pid}"
        self._file = self.directory / f"{name}.jsonl"
        self._cut = False
        try:
            self._open(os.O_EXCL)
        except FileExistsError:  # the time stands still, or somebody has guessed the name
            self._file = self.directory / f"{name}-{os.urandom(8).hex()}.jsonl"
            self._open(os.O_EXCL)
        rank = state.rank()
        units = sys.modules.get("seed_init.hook.units")
        path = state.known_path() if units is None else units.path_outside()
        self._put(
            {
                "event": "process",
                "format": FORMAT,
                "pid": pid,
                "parent": os.getppid(),
                "path": list(path),
                "rank": rank[0] if rank else None,
                "world": rank[1] if rank else None,
                "argv": redaction.words(sys.orig_argv),
                "started": time.time(),
            }
        )
        # Last: another thread that finds it goes on to write.
        self._pid = pid


@dataclass
class Process:
    """What one process wrote.

    Attributes:
        header: its first line.
        events: the others, in order.
        file: where that was read.
    """

    header: dict[str, Any]
    file: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rank(self) -> int | None:
        rank: int | None = self.header["rank"]
        return rank

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of some kinds, in order."""
        return [event for event in self.events if event["event"] in kinds]


def lost(directory: Path) -> list[str]:
    """A line for each process of a trace whose events could not all be written."""
    return [_lost(file) for file in sorted(directory.glob(f"*{LOST}"))]


def _lost(file: Path) -> str:
    pid = "-".join(file.stem.split("-")[1:2])
    return (
        f"the trace of process {pid} could not be written to its end (a full disk, or a limit that "
        "the program has set): what came later was not seen"
    )


class Unreadable(Exception):
    """A trace cannot be read. The text is one line for the user."""


def read(directory: Path) -> list[Process]:
    """Every process of a trace, in the order in which they began to write.

    What is there is checked (`validation`): the directory may come from anywhere. A process whose
    events could not all be written has an event "failed" at its end, so that whoever compares it
    knows. If such a process has left no file, the first one has the event.

    Raises:
        Unreadable: no such directory, or a file in it that no observer of this version wrote, or
            that is damaged otherwise than by a disk that was full.
    """
    if not directory.is_dir():
        raise Unreadable(f"{directory} is not a trace: no such directory")
    read = [_read_file(file) for file in sorted(directory.glob("*.jsonl"))]
    processes = [process for process in read if process is not None]
    by_name = {process.file.stem: process for process in processes}
    for file in sorted(directory.glob(f"*{LOST}")):
        # Who compares asks the processes alone, also where a record has them.
        if (process := by_name.get(file.stem, next(iter(processes), None))) is not None:
            process.events.append({"event": "failed", "what": _lost(file)})
    return processes


def _read_file(file: Path) -> Process | None:
    # Not at the top: the observed process, which writes, needs none of it.
    from seed_init.proof.trace import validation

    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise validation.Invalid("it is no regular file")
        lines = _lines(file)
        header = next(lines, None)
        if header is None:
            return None  # killed while it wrote the first line
        # First, because an event of another format has another shape as well.
        is_other = isinstance(header, dict) and header.get("format", FORMAT) != FORMAT
        if is_other or validation.event(header)["event"] != "process":
            raise Unreadable(
                f"{file} is not of this version's traces (format {FORMAT}); use the version of "
                "seed-init that wrote it"
            )
        return Process(header, file, [validation.event(line) for line in lines])
    except validation.Invalid as error:
        raise Unreadable(
            f"{file} is no trace: {error}; give the directory as seed-init wrote it"
        ) from None


def _lines(file: Path) -> Iterator[Any]:
    from seed_init.proof.trace import validation

    with file.open("rb") as content:
        while line := content.readline(validation.FILE_MOST + 1):
            if len(line) > validation.FILE_MOST:
                raise validation.Invalid(
                    f"a line of it has more than {validation.FILE_MOST >> 20} MiB"
                )
            if not line.endswith(b"\n"):
                return
            try:
                yield validation.parsed(line, validation.Room(len(line)))
            except validation.NotJSON:
                continue  # cut where the disk was full


def read_plan(directory: Path) -> dict[str, Any]:
    """The plan of a trace directory; the default one where there is none.

    Raises:
        ValueError: what is there is no plan.
        OSError: it cannot be read.
    """
    try:
        plan: Any = json.loads((directory / "plan.json").read_text())
    except FileNotFoundError:
        return dict(DEFAULT_PLAN)
    except ValueError:  # of JSON and of Unicode
        raise ValueError("its plan.json is not JSON") from None
    instruments = plan.get("instruments") if isinstance(plan, dict) else None
    if not isinstance(instruments, list) or not all(
        isinstance(instrument, str) for instrument in instruments
    ):
        raise ValueError("its plan.json names no instruments")
    checked: dict[str, Any] = plan
    return checked


def write_plan(directory: Path, plan: dict[str, Any]) -> None:
    """Make a trace directory with a plan."""
    directory.mkdir(parents=True, exist_ok=True)
    writing.replace(directory / "plan.json", json.dumps(plan, indent=2) + "\n")


def latest_step(directory: Path) -> int | None:
    """The number of the step that a run has reached, for a progress line; None before the first."""
    # The run goes on meanwhile: a file may vanish, a line may be half written.
    with suppress(OSError, ValueError, LookupError, TypeError):
        file = sorted(directory.glob("*.jsonl"), key=lambda file: file.stat().st_size)[-1]
        with file.open("rb") as content:
            content.seek(max(0, content.seek(0, os.SEEK_END) - (1 << 16)))
            lines = content.read().splitlines()[:-1]
        for line in reversed(lines):
            if line.startswith(b'{"event":"step"'):
                call: int = json.loads(line)["call"]
                return call
    return None
