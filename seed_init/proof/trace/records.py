# SPDX-License-Identifier: Apache-2.0
"""The run record: one JSON file that says what ran, where, with what, and what each step gave.

Its schema is `schema/record-1.schema.json`. It is made from a trace directory when the run is over
(`assemble`), and read from a record or from such a directory (`load`): that is what a run leaves
behind which was killed before it could write its record.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import seed_init
from seed_init.hook.settings import EXPORTED
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import data_files, journal, machine, packing, validation
from seed_init.proof.trace.journal import Process
from seed_init.system import writing

FORMAT = 1
SCHEMA = "seed-init-record-1"

PLAN: dict[str, Any] = {"instruments": ["facts", "flags", "steps", "end", "files"]}
"""What is observed for a record."""

RUN_FACTS = "run.json"
"""In a trace directory: what was known outside when the run began (`begin`)."""

KEPT_ELSEWHERE = frozenset({"facts", "file", "files"})
"""Kinds of events that have a section of their own."""


FILES_MOST = 100_000
"""Files of each kind that a record lists, of all processes; the others are counted."""


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
) -> dict[str, Any]:
    """Write down what is known when a run begins, so that it survives whatever happens.

    Args:
        directory: the trace directory, which exists.
        argv: the command.
        recorder: "command", "verify" or "variable": what asked for the record.
        whole: ask git, too, what is not committed; otherwise that is asked at the end, because
            it takes a moment and a program of the user's is waiting.
        started: when it began, in seconds since the epoch; now if None.
        before: files of former runs that are in the directory.
    """
    facts: dict[str, Any] = {
        # Not from `random`, which is the user's.
        "run": os.urandom(16).hex(),
        "recorder": recorder,
        "argv": redaction.words(argv),
        "cwd": redaction.text(str(Path.cwd())),
        "started": time.time() if started is None else started,
        # Of the system and never set, unlike the time of day: for how long it ran.
        "clock": time.monotonic(),
        "before": sorted(before),
        "environment": redaction.variables(os.environ),
        "directory": str(Path.cwd()),
        "code": machine.code(Path.cwd()) if whole else machine.commit(Path.cwd()),
        "code_is_whole": whole,
        **machine.machine(),
    }
    write(directory / RUN_FACTS, facts)
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
        NotARecord: it is none that can be read.
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
        raise NotARecord(f"cannot read {_named(path)}: {error.strerror}") from None
    except journal.Unreadable as error:
        raise NotARecord(str(error)) from None
    except validation.Invalid as error:
        raise NotARecord(f"{_named(path)} is no record: {error}") from None


def _read_file(path: Path) -> Record:
    raw, room = validation.read(path)
    content = validation.parsed(raw, room)
    found = content.get("schema") if isinstance(content, dict) else None
    if found != SCHEMA:
        told = ascii(found) if isinstance(found, str) and len(found) < 80 else "another one"
        raise NotARecord(
            f"{_named(path)} is no record of this version: its schema is "
            f"{'None' if found is None else told}, not {SCHEMA!r}"
        )
    _check(content)
    return Record(content, _unpacked(content, room))


def _read_directory(path: Path, whole: bool) -> Record:
    traced = journal.read(path)
    if not traced:
        raise NotARecord(
            f"{_named(path)} has no trace in it; give a record (a .json file) or a trace directory"
        )
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


def _named(path: Path) -> str:
    """A path in a line for the user: one line, whatever is in it."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


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

    Raises:
        journal.Unreadable: the trace is not of this version, or damaged.
    """
    run = _run_facts(directory)
    processes = journal.read(directory) if traced is None else traced
    if here:
        # A directory of the user's may have former runs in it.
        processes = [each for each in processes if each.file.name not in run.get("before", ())]
        # Not by the time of day, which may have been set meanwhile.
        seconds = time.monotonic() - run["clock"] if seconds is None and "clock" in run else seconds
    main = _main(processes)
    start, torch, end = (_held(main, moment, processes) for moment in ("start", "torch", "end"))
    path = end.get("path") or torch.get("path") or start.get("python", {}).get("path", [])
    started = run.get("started") or min([p.header["started"] for p in processes], default=None)
    argv = run.get("argv") or (redaction.words(main.header["argv"]) if main else [])
    record = {
        "schema": SCHEMA,
        "format": FORMAT,
        "run": run.get("run"),
        "recorder": {"version": seed_init.__version__, "asked_by": run.get("recorder")},
        "command": {"argv": argv, "cwd": run.get("cwd") or start.get("cwd")},
        "times": {
            "started": _utc(started),
            "ended": _utc(ended),
            "seconds": None if seconds is None else round(seconds, 3),
        },
        "exit": {"status": status, "how": _how(how, processes), "raised": end.get("raised")},
        "code": _code(run, end, here),
        "image": run.get("image"),
        "system": run.get("system"),
        "python": _python(start, path),
        "packages": machine.packages(path) if here else {},
        "torch": _torch(torch, end, [main, *processes]),
        "cpu": _cpu(run, torch),
        "gpu": _gpu(processes, here),
        "distributed": _distributed(processes),
        "environment": _environment(run, start, torch, end),
        "settings": start.get("settings", []),
        "flags": _flags(processes, torch, end),
        "seeds": _seeds(processes, start),
        "files": _files(processes, data_files.Reader(budget if here else 0), here),
        "processes": [_process(each) for each in processes],
        "trace": packing.pack([_shown(each) for each in processes], KEPT_ELSEWHERE),
        "verdict": None,
        "audit": None,
        "incomplete": _incomplete(processes, ended),
    }
    unpacked = {name: record[name] for name in record if name not in ("trace", "packages")}
    return {**record, **redaction.deep(unpacked)}


def _run_facts(directory: Path) -> dict[str, Any]:
    file = directory / RUN_FACTS
    try:
        return validation.run(validation.parsed(*validation.read(file)))
    except OSError:
        return {}
    except validation.Invalid as error:
        raise journal.Unreadable(f"{_named(file)} is not of a trace: {error}") from None


def _main(processes: list[Process]) -> Process | None:
    """The process that stands for the run: the first that trains, else uses torch, else is there.

    Under torchrun that is a rank and not the launcher.
    """
    tests: tuple[Callable[[Process], Any], ...] = (
        lambda each: each.of("step"),
        lambda each: _facts(each, "torch"),
        lambda each: True,
    )
    for test in tests:
        for process in processes:
            if test(process):
                return process
    return None


def _facts(process: Process | None, moment: str) -> dict[str, Any]:
    """What the instrument `facts` wrote at a moment; nothing where it did not."""
    events = process.of("facts") if process is not None else []
    return next((event for event in events if event["moment"] == moment), {})


def _held(process: Process | None, moment: str, processes: list[Process]) -> dict[str, Any]:
    """What held in a process at a moment; of a forked child its parent may have written that."""
    by_pid = {each.header["pid"]: each for each in processes}
    for _ in processes:  # a damaged trace may have a circle
        if process is None or _facts(process, moment) or _facts(process, "start"):
            break
        process = by_pid.get(process.header["parent"])
    return _facts(process, moment)


def _utc(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _how(how: str, processes: list[Process]) -> str:
    if how == "exit" and any(_facts(each, "end").get("raised") for each in processes[:1]):
        return "exception"
    return how


def _code(run: dict[str, Any], end: dict[str, Any], here: bool) -> dict[str, Any]:
    code: dict[str, Any] = run.get("code") or dict.fromkeys(
        ("commit", "branch", "remote", "dirty", "changed_files", "untracked_files", "diff_sha256")
    )
    if here and code["commit"] and not run["code_is_whole"]:
        now = machine.code(Path(run["directory"])) or code
        if now["commit"] == code["commit"]:
            code = now
        else:
            code["note"] = "another commit was checked out during the run"
    reader = data_files.Reader(data_files.WHOLE if here else 0)
    modules = [
        {"path": path, "sha256": reader.describe(Path(path))["sha256"]}
        for path in end.get("modules", [])
    ]
    return {"note": None, **code, "modules": modules}


def _python(start: dict[str, Any], path: list[str]) -> dict[str, Any] | None:
    python: dict[str, Any] = start.get("python", {})
    return {**python, "path": path} if python else None


def _torch(
    torch: dict[str, Any], end: dict[str, Any], processes: "list[Process | None]"
) -> dict[str, Any] | None:
    if "torch" not in torch:
        return None
    found: dict[str, Any] = {}
    # Not each process has them: the workers that train write no end, and others start no CUDA.
    for process in processes:
        for moment in ("cuda", "end"):
            found = {**_facts(process, moment).get("libraries", {}), **found}
    libraries = {name: found.get(name) for name in ("cudnn", "nccl", "mkl", "onednn", "openmp")}
    return {**libraries, **torch["torch"], "threads": end.get("threads")}


def _cpu(run: dict[str, Any], torch: dict[str, Any]) -> dict[str, Any] | None:
    cpu: dict[str, Any] | None = run.get("cpu")
    capability = torch.get("torch", {}).get("cpu_capability")
    return None if cpu is None else {**cpu, "capability": capability}


def _gpu(processes: list[Process], here: bool) -> dict[str, Any]:
    devices = [
        one
        for each in processes
        for moment in ("cuda", "end")  # a trace of a former version has them at the end
        for one in _facts(each, moment).get("devices", [])
    ]
    used = list({json.dumps(one, sort_keys=True): one for one in devices}.values())
    present = machine.gpus() if here else []
    driver = next((one["driver"] for one in present), None)
    return {"driver": driver, "used": used, "present": present}


def _distributed(processes: list[Process]) -> dict[str, Any] | None:
    ranks = [
        {
            "rank": each.rank,
            "process": number,
            "threads": _facts(each, "end").get("threads"),
            "backend": _facts(each, "end").get("distributed"),
        }
        for number, each in enumerate(processes)
        if each.rank is not None and _is_program(each)
    ]
    if not ranks:
        return None
    world = next(each.header["world"] for each in processes if each.rank is not None)
    return {"world": world, "ranks": ranks}


def _is_program(process: Process) -> bool:
    """True for a program of its own, false for a worker that it made."""
    return bool(_facts(process, "start").get("main"))


def _environment(run: dict[str, Any], *facts: dict[str, Any]) -> dict[str, Any]:
    """The variables when the run began, and what the program's process had otherwise later.

    What the hook exports at the import of torch counts as of the beginning: the program has not
    changed it.
    """
    given = [each["environment"] for each in (run, *facts) if "environment" in each]
    start = dict(given[0]) if given else {}
    later: dict[str, Any] = {}
    for each in given[1:]:
        for name in each.get(EXPORTED, "").split(","):
            if name in each:
                start.setdefault(name, each[name])
        for name in sorted({*start, *each}):
            if each.get(name) != start.get(name) and name not in _OWN:
                later[name] = each.get(name)
    return {"start": {n: v for n, v in start.items() if n not in _OWN}, "changed": later}


_OWN = frozenset({"SEED_INIT_TRACE", "SEED_INIT_RECORD", EXPORTED})
"""Paths of the recording itself, which say nothing of the run, and names of variables."""


def _flags(
    processes: list[Process], torch: dict[str, Any], end: dict[str, Any]
) -> dict[str, Any] | None:
    """Torch's flags when it was imported, and each change that was seen, by process."""
    changes = []
    for number, process in enumerate(processes):
        seen: dict[str, Any] = dict(_facts(process, "torch").get("flags", {}))
        steps = 0
        # The facts last: of a change at the end they do not know the line, the flags do.
        for event in sorted(process.events, key=lambda event: bool(event["event"] == "facts")):
            steps += event["event"] == "step"
            values = event.get("values", {}) if event["event"] == "flags" else None
            if event["event"] == "facts" and event["moment"] == "end":
                # Those that no setter of ours has seen.
                values = event.get("flags")
            changed = {n: v for n, v in (values or {}).items() if seen.get(n, v) != v}
            seen |= values or {}
            if changed:
                changes.append(
                    {
                        "process": number,
                        "values": changed,
                        "place": event.get("place"),
                        "steps_before": steps,
                    }
                )
    if "flags" not in torch:
        return None
    return {"start": torch["flags"], "end": end.get("flags"), "changes": changes}


def _seeds(processes: list[Process], start: dict[str, Any]) -> dict[str, Any]:
    settings = {row["name"]: row for row in start.get("settings", [])}
    row = settings.get("SEED", {})
    return {
        "seed": row.get("value"),
        "origin": row.get("origin"),
        "processes": [
            {"process": number, **_facts(each, "end")["seeds"]}
            for number, each in enumerate(processes)
            if "seeds" in _facts(each, "end")
        ],
    }


def _files(processes: list[Process], reader: data_files.Reader, here: bool) -> dict[str, Any]:
    written: list[str] = []
    read: dict[str, dict[str, Any]] = {}
    more = {"read": 0, "written": 0}
    for process in processes:
        for event in process.of("file"):
            if event["mode"] == "written":
                written.append(event["path"])
            else:
                read.setdefault(event["path"], event)
        for event in process.of("files"):
            more = {mode: more[mode] + event["more"][mode] for mode in more}
    names = set(written)
    # What it has written itself is no input, though it may read it again.
    inputs = [path for path in read if path not in names]
    # What is gone was temporary, and has another name each time.
    kept = [path for path in dict.fromkeys(written) if not here or Path(path).is_file()]
    more["read"] += max(0, len(inputs) - FILES_MOST)
    more["written"] += max(0, len(kept) - FILES_MOST)
    described = [
        {"path": path, **reader.describe(Path(path), event.get("size"), event.get("changed"))}
        for path in inputs[:FILES_MOST]
        for event in [read[path]]
    ]
    return {
        "read": described,
        "written": kept[:FILES_MOST],
        "not_listed": more,
        "whole_up_to": data_files.WHOLE,
        "samples": data_files.SAMPLES,
        "sample": data_files.SAMPLE,
    }


def _process(process: Process) -> dict[str, Any]:
    header = process.header
    return {
        "pid": header["pid"],
        "parent": header["parent"],
        "path": header["path"],
        "rank": header["rank"],
        "world": header["world"],
        "argv": redaction.words(header["argv"]),
        "started": _utc(header["started"]),
        "main": _is_program(process),
        "steps": len(process.of("step")),
    }


def _shown(process: Process) -> Process:
    """A process without secrets in its events. Steps and tables of tensors have none."""
    plain = ("step", "start", "tensors")
    events = [
        event if event["event"] in plain else redaction.deep(event)
        for event in process.events
        if event["event"] not in KEPT_ELSEWHERE
    ]
    return Process(process.header, process.file, events)


def _incomplete(processes: list[Process], ended: float | None) -> list[str]:
    lines = []
    if ended is None:
        lines.append("the run was killed, or goes on: this is what its trace has so far")
    if not processes:
        lines.append("no Python process of the run was observed: is the hook installed there?")
    for number, process in enumerate(processes):
        lines += [f"process {number}: {event['what']}" for event in process.of("failed")]
        if ended is not None and _is_program(process) and not _facts(process, "end"):
            lines.append(f"process {number} was killed: what it knew at its end is missing")
    return lines
