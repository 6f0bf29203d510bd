# SPDX-License-Identifier: Apache-2.0
"""The run record: one JSON file that says what ran, where, with what, and what each step gave.

Its schema is `schema/record-1.schema.json`. It is made from a trace directory when the run is over
(`assemble`), and read from a record or from such a directory (`load`): that is what a run leaves
behind which was killed before it could write its record.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seed_init
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import data_files, journal, machine, packing, sections, validation
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.local_facts import LocalFacts
from seed_init.proof.trace.patches import Patch
from seed_init.system import writing

FORMAT = 1
SCHEMA = "seed-init-record-1"

PLAN: dict[str, Any] = {"instruments": ["facts", "flags", "steps", "end", "files"]}
"""What is observed for a record."""


ADVICE = "give a record (a .json file) or a trace directory"
"""What to do about a path that is neither."""

OTHER_VERSION = "use the version of seed-init that wrote it"
"""What to do about a record or a trace of another version."""


class NotARecord(Exception):
    """A file or directory is no record that can be read. The text is one line for the user."""


@dataclass(frozen=True)
class Record:
    """A record that was read and checked.

    Attributes:
        content: its sections, as the schema describes them.
        processes: its processes and their events.
    """

    content: dict[str, Any]
    processes: list[Process]


def begin(
    directory: Path,
    argv: Iterable[str],
    recorder: str,
    whole: bool = False,
    started: float | None = None,
    before: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    code: dict[str, Any] | None = None,
    patch: Patch | None = None,
) -> dict[str, Any]:
    """Write down what is known when a run begins, so that it survives whatever happens.

    Args:
        directory: the trace directory, which exists.
        argv: the command.
        recorder: "command", "verify", "sweep" or "variable": what asked for the record.
        whole: ask git, too, what is not committed; otherwise that is asked at the end, because
            it takes a moment and a program of the user's is waiting.
        started: when it began, in seconds since the epoch; now if None.
        before: files of former runs that are in the directory.
        environment: that of the run; this process's if None.
        cwd: the working directory of the run; this process's if None.
        code: what `machine.code` says of it, where that is known already.
        patch: what of the code is not committed, if that is to be kept.
    """
    cwd = cwd or Path.cwd()
    whole = whole or code is not None
    if code is None:
        code = machine.code(cwd) if whole else machine.commit(cwd)
    facts: dict[str, Any] = {
        # Not from `random`, which is the user's.
        "run": os.urandom(16).hex(),
        "recorder": recorder,
        "argv": redaction.words(argv),
        "cwd": redaction.text(str(cwd)),
        "started": time.time() if started is None else started,
        # Of the system and never set, unlike the time of day: for how long it ran.
        "clock": time.monotonic(),
        "before": sorted(before),
        "environment": redaction.variables(os.environ if environment is None else environment),
        "directory": str(cwd),
        "code": code,
        "code_is_whole": whole,
        **machine.machine(),
    }
    if patch is not None and facts["code"] is not None:
        facts["code"]["patch"] = patch.to_json()
    write(directory / sections.RUN_FACTS, facts)
    return facts


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that is there as a whole or not at all.

    Raises:
        OSError: it cannot be written; what was at `path` is as it was.
        ValueError: it has what JSON cannot hold.
    """
    writing.replace(path, _text(content), durable=True)


def write_new(path: Path, content: dict[str, Any]) -> Path:
    """As `write`, but never over a file: where `path` is taken, the next free name gets it.

    Returns:
        The file: `path`, or `name-2.json`, `name-3.json`, ... beside it.

    Raises:
        OSError: it cannot be written.
        ValueError: it has what JSON cannot hold.
    """
    text = _text(content)
    number, target = 1, path
    while True:
        try:
            writing.create(target, text, durable=True)
            return target
        except FileExistsError:
            number += 1
            target = path.with_name(f"{path.stem}-{number}{path.suffix}")


def _text(content: dict[str, Any]) -> str:
    # Bit patterns that JSON has no number for are text in our events already.
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def load(path: Path) -> dict[str, Any]:
    """The sections of a record: `read` says of what.

    Raises:
        NotARecord: the file or directory is not a record that can be read.
    """
    return read(path).content


def read(path: Path, whole: bool = False) -> Record:
    """Read a record, from its file or from the trace directory of a run that could not write it.

    All that readers rely on is checked here (`validation`).

    Args:
        path: the file or the directory.
        whole: give the steps of a directory with all their bits, and not as a record has them.

    Raises:
        NotARecord: it is neither, of another version, damaged, or larger than any record.
    """
    try:
        return _read_directory(path, whole) if path.is_dir() else _read_file(path)
    except OSError as error:
        raise NotARecord(cannot_read(path, error)) from None
    except journal.Unreadable as error:
        raise NotARecord(str(error)) from None
    except packing.Unpackable as error:
        raise NotARecord(f"{sections.named(path)} is no record: {error}") from None
    except validation.Invalid as error:
        raise NotARecord(f"{sections.named(path)} is no record: {error}; {ADVICE}") from None


def cannot_read(path: Path, error: OSError) -> str:
    """Return one line for the user about a record that is not there, or may not be read."""
    return f"cannot read {sections.named(path)}: {error.strerror}; {ADVICE}"


def _read_file(path: Path) -> Record:
    raw, room = validation.read(path)
    content = validation.parsed(raw, room)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        if not isinstance(schema, str):
            raise validation.Invalid("it names no schema")
        named = ascii(schema) if len(schema) < 80 else "another one"
        raise NotARecord(
            f"{sections.named(path)} is no record of this version: its schema is {named}, not "
            f"{SCHEMA!r}; {OTHER_VERSION}"
        )
    _check(content)
    return Record(content, _unpacked(content, room))


def _read_directory(path: Path, whole: bool) -> Record:
    os.scandir(path).close()  # raises where it may not be read, which `glob` passes over
    traced = journal.read(path)
    if not traced:
        raise NotARecord(f"{sections.named(path)} has no trace in it; {ADVICE}")
    content = assemble(path, traced)
    _check(content)
    if whole:
        return Record(content, traced)
    size = sum(process.file.stat().st_size for process in traced)
    return Record(content, _unpacked(content, validation.Room(size)))


def _check(content: dict[str, Any]) -> None:
    # First, because a record of another format has another shape as well.
    packing.check_format(content)
    validation.record(content)


def _unpacked(content: dict[str, Any], room: validation.Room) -> list[Process]:
    events = packing.unpack(content["trace"], room)
    return [
        Process({"event": "process", **header}, Path(), of)
        for header, of in zip(content["processes"], events)
    ]


def processes(record: dict[str, Any]) -> list[Process]:
    """The processes of a record, as `journal.read` gives those of a trace.

    Their steps are short, see `packing`; events that the record keeps elsewhere are not among
    theirs.

    Args:
        record: its sections; they are checked.

    Raises:
        NotARecord: they are not those of a record, or the steps are packed in another format.
    """
    try:
        _check(record)
        return _unpacked(record, validation.Room(validation.FILE_MOST))
    except validation.Invalid as error:
        raise NotARecord(str(error)) from None


def assemble(
    directory: Path,
    traced: list[Process] | None = None,
    *,
    ended: float | None = None,
    status: int | None = None,
    how: str = "unknown",
    budget: int = data_files.BUDGET,
    here: bool = False,
    seconds: float | None = None,
    asked: LocalFacts | None = None,
) -> dict[str, Any]:
    """Make the record of a run from its trace.

    Args:
        directory: the trace directory.
        traced: what `journal.read` gives of it; it is read if None.
        ended: when the run ended, in seconds since the epoch; None if that is not known.
        status: its exit status, 128 + n where signal n ended it; None if that is not known.
        how: "exit", "exception" or "signal", or "unknown".
        budget: bytes of data files that may be read for their fingerprints.
        here: whether it ran on this machine, just now. Otherwise nothing is asked of it: it is
            not the run's, and its files may be others.
        seconds: how long it ran; from `begin` until now if None, where it ran here.
        asked: answers of this machine that hold for several runs; asked anew if None.

    Raises:
        journal.Unreadable: the trace is not of this version, or damaged.
    """
    run = sections.run_facts(directory)
    processes = journal.read(directory) if traced is None else traced
    if here:
        # A directory of the user's may have former runs in it.
        processes = [
            process for process in processes if process.file.name not in run.get("before", ())
        ]
        # Not by the time of day, which may have been set meanwhile.
        seconds = time.monotonic() - run["clock"] if seconds is None and "clock" in run else seconds
    asked = asked or LocalFacts()
    of = sections.Traced(run, processes, here, asked)
    reader = asked.reader(budget if here else 0)
    content = {
        "schema": SCHEMA,
        "format": FORMAT,
        "run": run.get("run"),
        "recorder": {"version": seed_init.__version__, "asked_by": run.get("recorder")},
        "times": sections.times(of, ended, seconds),
        "exit": sections.ending(of, status, how),
        "files": sections.files(of, reader),
        "incomplete": sections.incomplete(of, ended),
        "verdict": None,
        "audit": None,
        "arithmetic": None,
        **{name: read(of) for name, read in sections.OF_A_TRACE.items()},
    }
    clean = redaction.deep(content)
    # Packages have names that look like secrets, and what is packed was cleaned before.
    clean["packages"] = asked.packages(of.path) if here else {}
    shown = [sections.shown(process) for process in processes]
    clean["trace"] = packing.pack(shown, sections.KEPT_ELSEWHERE)
    return {name: clean[name] for name in ORDER}


ORDER = (
    *("schema", "format", "run", "recorder", "command", "times", "exit", "code", "image"),
    *("system", "python", "packages", "torch", "cpu", "gpu", "distributed", "environment"),
    *("settings", "flags", "seeds", "files", "processes", "trace", "verdict", "audit"),
    *("arithmetic", "incomplete"),
)
"""The sections of a record, in the order of the file."""
