# SPDX-License-Identifier: Apache-2.0
"""Each section of a run record is made here of what the processes of the run have written."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from seed_init.hook.settings import EXPORTED
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import data_files, journal, machine, units, validation
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.local_facts import LocalFacts

RUN_FACTS = "run.json"
"""In a trace directory: what was known outside when the run began (`records.begin`)."""

KEPT_ELSEWHERE = frozenset({"facts", "file", "files"})
"""Kinds of events that have a section of their own."""

NOT_IN_GIT = (
    *("commit", "branch", "prefix", "remote"),
    *("dirty", "changed_files", "untracked_files", "diff_sha256"),
)
"""What is not known of code that is in no repository."""

FILES_MOST = 100_000
"""Files of each kind that a record lists, of all processes; the others are counted."""


@dataclass
class Traced:
    """What a run has left in its trace directory.

    Attributes:
        run: what was known outside when the run began.
        processes: its processes.
        here: whether it ran on this machine, just now. Otherwise nothing is asked of this machine.
        asked: what is asked of this machine.
    """

    run: dict[str, Any]
    processes: list[Process]
    here: bool
    asked: LocalFacts = field(default_factory=LocalFacts)

    @cached_property
    def main(self) -> Process | None:
        """The process that stands for the run."""
        return _main(self.processes)

    @cached_property
    def start(self) -> dict[str, Any]:
        """What held when that process began."""
        return _held(self.main, "start", self.processes)

    @cached_property
    def torch(self) -> dict[str, Any]:
        """What held in it when torch was imported."""
        return _held(self.main, "torch", self.processes)

    @cached_property
    def end(self) -> dict[str, Any]:
        """What held in it at its end."""
        return _held(self.main, "end", self.processes)

    @property
    def path(self) -> list[str]:
        """The directories that it imported from."""
        directories: list[str] = (
            self.end.get("path")
            or self.torch.get("path")
            or self.start.get("python", {}).get("path", [])
        )
        return directories


def run_facts(directory: Path) -> dict[str, Any]:
    """What was known outside when the run began; nothing where nobody wrote it down.

    Raises:
        journal.Unreadable: what is there is something else.
    """
    file = directory / RUN_FACTS
    try:
        return validation.run(validation.parsed(*validation.read(file)))
    except OSError:
        return {}
    except validation.Invalid as error:
        raise journal.Unreadable(f"{named(file)} is not of a trace: {error}") from None


def named(path: Path) -> str:
    """A path in a line for the user: one line, whatever is in it."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _main(processes: list[Process]) -> Process | None:
    """Return the process that stands for the run: the first that trains, else has torch, else any.

    Under torchrun that is a rank and not the launcher.
    """
    tests: tuple[Callable[[Process], Any], ...] = (
        lambda process: process.of("step"),
        lambda process: _facts(process, "torch"),
        lambda process: True,
    )
    for test in tests:
        for process in processes:
            if test(process):
                return process
    return None


def _facts(process: Process | None, moment: str) -> dict[str, Any]:
    """Return what the instrument `facts` wrote at a moment; {} if it wrote nothing then."""
    events = process.of("facts") if process is not None else []
    return next((event for event in events if event["moment"] == moment), {})


def _held(process: Process | None, moment: str, processes: list[Process]) -> dict[str, Any]:
    """Return a process's facts at a moment; of a forked child without facts, its parent's facts."""
    by_pid = {member.header["pid"]: member for member in processes}
    for _ in processes:  # a damaged trace may have a circle
        if process is None or _facts(process, moment) or _facts(process, "start"):
            break
        process = by_pid.get(process.header["parent"])
    return _facts(process, moment)


def command(of: Traced) -> dict[str, Any]:
    """The command line, and where it was started."""
    argv = of.run.get("argv") or (redaction.words(of.main.header["argv"]) if of.main else [])
    return {"argv": argv, "cwd": of.run.get("cwd") or of.start.get("cwd")}


def times(of: Traced, ended: float | None, seconds: float | None) -> dict[str, Any]:
    """When the run began, ended, and how long it took.

    Args:
        of: the run.
        ended: in seconds since the epoch; None if that is not known.
        seconds: how long it ran; None if that is not known.
    """
    begun = [process.header["started"] for process in of.processes]
    return {
        "started": _utc(of.run.get("started") or min(begun, default=None)),
        "ended": _utc(ended),
        "seconds": None if seconds is None else round(seconds, 3),
    }


def _utc(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def ending(of: Traced, status: int | None, how: str) -> dict[str, Any]:
    """How the run ended; the arguments are those of `records.assemble`."""
    raised = any(_facts(process, "end").get("raised") for process in of.processes[:1])
    how = "exception" if how == "exit" and raised else how
    return {"status": status, "how": how, "raised": of.end.get("raised")}


def code(of: Traced) -> dict[str, Any]:
    """The git repository, and the files of the user's own modules."""
    run, end, here = of.run, of.end, of.here
    facts: dict[str, Any] = run.get("code") or dict.fromkeys(NOT_IN_GIT)
    if here and facts["commit"] and not run["code_is_whole"]:
        now = machine.code(Path(run["directory"])) or facts
        if now["commit"] == facts["commit"]:
            facts = now
        else:
            facts["note"] = "another commit was checked out during the run"
    reader = data_files.Reader(data_files.WHOLE if here else 0)
    modules = [
        {"path": path, "sha256": reader.describe(Path(path))["sha256"]}
        for path in end.get("modules", [])
    ]
    return {"note": None, **facts, "modules": modules}


def python(of: Traced) -> dict[str, Any] | None:
    """The interpreter; None where no process has told."""
    facts: dict[str, Any] = of.start.get("python", {})
    return {**facts, "path": of.path} if facts else None


def torch(of: Traced) -> dict[str, Any] | None:
    """The versions of torch and of what it computes with; None where nobody has imported it."""
    if "torch" not in of.torch:
        return None
    versions: dict[str, Any] = {}
    # Not each process has them: the workers that train write no end, and others start no CUDA.
    for process in (of.main, *of.processes):
        for moment in ("cuda", "end"):
            versions = {**_facts(process, moment).get("libraries", {}), **versions}
    libraries = {name: versions.get(name) for name in ("cudnn", "nccl", "mkl", "onednn", "openmp")}
    return {**libraries, **of.torch["torch"], "threads": of.end.get("threads")}


def cpu(of: Traced) -> dict[str, Any] | None:
    """The processor; None where nobody wrote it down when the run began."""
    facts: dict[str, Any] | None = of.run.get("cpu")
    capability = of.torch.get("torch", {}).get("cpu_capability")
    return None if facts is None else {**facts, "capability": capability}


def gpu(of: Traced) -> dict[str, Any]:
    """The GPUs that were used, and those that there are."""
    devices = [
        device
        for process in of.processes
        for moment in ("cuda", "end")  # a trace of a former version has them at the end
        for device in _facts(process, moment).get("devices", [])
    ]
    used = list({json.dumps(device, sort_keys=True): device for device in devices}.values())
    present = of.asked.gpus() if of.here else []
    driver = next((device["driver"] for device in present), None)
    return {"driver": driver, "used": used, "present": present}


def distributed(of: Traced) -> dict[str, Any] | None:
    """The ranks; None where there are none."""
    processes = of.processes
    ranks = [
        {
            "rank": process.rank,
            "process": number,
            "threads": _facts(process, "end").get("threads"),
            "backend": _facts(process, "end").get("distributed"),
        }
        for number, process in enumerate(processes)
        if process.rank is not None and _is_program(process)
    ]
    if not ranks:
        return None
    world = next(process.header["world"] for process in processes if process.rank is not None)
    return {"world": world, "ranks": ranks}


def _is_program(process: Process) -> bool:
    """Return True for a program, False for a worker that a program made."""
    return bool(_facts(process, "start").get("main"))


def environment(of: Traced) -> dict[str, Any]:
    """The variables when the run began, and what the program's process had otherwise later.

    What the hook exports at the import of torch counts as of the beginning: the program has not
    changed it.
    """
    moments = (of.run, of.start, of.torch, of.end)
    environments = [moment["environment"] for moment in moments if "environment" in moment]
    start = dict(environments[0]) if environments else {}
    later: dict[str, Any] = {}
    for variables in environments[1:]:
        for name in variables.get(EXPORTED, "").split(","):
            if name in variables:
                start.setdefault(name, variables[name])
        for name in sorted({*start, *variables}):
            if variables.get(name) != start.get(name) and name not in _OWN:
                later[name] = variables.get(name)
    return {"start": {n: v for n, v in start.items() if n not in _OWN}, "changed": later}


_OWN = frozenset({"SEED_INIT_TRACE", "SEED_INIT_RECORD", EXPORTED})
"""Paths of the recording itself, which say nothing of the run, and names of variables."""


def flags(of: Traced) -> dict[str, Any] | None:
    """Torch's flags when it was imported, and each change that was seen, by process."""
    changes = []
    for number, process in enumerate(of.processes):
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
    if "flags" not in of.torch:
        return None
    return {"start": of.torch["flags"], "end": of.end.get("flags"), "changes": changes}


def seeds(of: Traced) -> dict[str, Any]:
    """SEED, and what each process has seeded."""
    rows = {row["name"]: row for row in of.start.get("settings", [])}
    row = rows.get("SEED", {})
    return {
        "seed": row.get("value"),
        "origin": row.get("origin"),
        "processes": [
            {"process": number, **_facts(process, "end")["seeds"]}
            for number, process in enumerate(of.processes)
            if "seeds" in _facts(process, "end")
        ],
    }


def files(of: Traced, reader: data_files.Reader) -> dict[str, Any]:
    """The data files that were read and written.

    Args:
        of: the run.
        reader: makes their fingerprints.
    """
    written: list[str] = []
    read: dict[str, dict[str, Any]] = {}
    more = {"read": 0, "written": 0}
    for process in of.processes:
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
    kept = [path for path in dict.fromkeys(written) if not of.here or Path(path).is_file()]
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


def settings(of: Traced) -> list[dict[str, Any]]:
    """The settings in effect when the run began."""
    rows: list[dict[str, Any]] = of.start.get("settings", [])
    return rows


def processes(of: Traced) -> list[dict[str, Any]]:
    """Every process that was seen."""
    return [_process(process) for process in of.processes]


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


def shown(process: Process) -> Process:
    """A process without secrets in its events. Steps and tables of tensors have none."""
    plain = ("step", "start", "tensors")
    events = [
        event if event["event"] in plain else redaction.deep(event)
        for event in process.events
        if event["event"] not in KEPT_ELSEWHERE
    ]
    return Process(process.header, process.file, events)


def incomplete(of: Traced, ended: float | None) -> list[str]:
    """What the record lacks, one line each; `ended` as in `times`."""
    lines = []
    if ended is None:
        lines.append("the run was killed, or goes on: this is what its trace has so far")
    if not of.processes:
        lines.append("no Python process of the run was observed: is the hook installed there?")
    for number, process in enumerate(of.processes):
        lines += [f"process {number}: {event['what']}" for event in process.of("failed")]
        if ended is not None and _is_program(process) and not _facts(process, "end"):
            lines.append(f"process {number} was killed: what it knew at its end is missing")
    return lines + units.unseen(of.processes)


OF_A_TRACE: dict[str, Callable[[Traced], Any]] = {
    "command": command,
    "code": code,
    "image": lambda of: of.run.get("image"),
    "system": lambda of: of.run.get("system"),
    "python": python,
    "torch": torch,
    "cpu": cpu,
    "gpu": gpu,
    "distributed": distributed,
    "environment": environment,
    "settings": settings,
    "flags": flags,
    "seeds": seeds,
    "processes": processes,
}
"""Section of a record -> what makes it, of those that the trace alone decides."""
