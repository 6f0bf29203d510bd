# SPDX-License-Identifier: Apache-2.0
"""This module merges the findings of all processes of an audited run into a list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from seed_init.proof.auditing import alike, clones
from seed_init.proof.trace import units
from seed_init.proof.trace.journal import Process

PLAN = {"instruments": ["auditing"]}
"""What is observed in an audited run (`journal.write_plan`)."""

KINDS = {
    "unseeded": "generators made without a seed",
    "reseeding": "explicit seeding that overrides SEED",
    "library": "libraries with generators of their own that SEED does not reach",
    "flag": "determinism flags changed after the start",
    "operator": "nondeterministic operators",
    "listing": "directory listings whose order is used",
    "clock": "wall clocks read",
    "entropy": "entropy of the operating system read",
    "clones": "generators in the same state in several workers that draw from them",
    "alike": "processes or units of work that draw the same numbers, with one seed and one path",
}
"""Kind of finding -> what it is."""

REMEDIES = {
    "unseeded": "give it a seed: seed_init.generator(), or a number derived from SEED; what is "
    "derived from SEED repeats here, and nowhere that seed_init is not installed",
    "reseeding": "remove the call, pass it the value of SEED, or set SEED_INIT_RESEED=mix",
    "library": "as each line says; docs/reference/libraries.md of seed_init has the list",
    "flag": "remove the change, or choose the flags with DETERMINISM and its variables",
    "operator": "set DETERMINISM=warn or strict for a deterministic version; where there is none, "
    "compute it in another way, or on the CPU",
    "listing": "put sorted() around it",
    "clock": "keep it to log lines and file names: take no seed, decision or number from it",
    "entropy": "keep it to names and secrets; take numbers from a seeded generator",
    "clones": "make the generator in the worker: in a DataLoader's from "
    "torch.utils.data.get_worker_info().seed, in others without a seed of its own",
    "alike": "if they are not to be alike, give each its own streams: SEED_INIT_WORKER=NAME or "
    "seed_init.worker(NAME), or another SEED; SEED_INIT_RANKS=distinct for ranks, and "
    "SEED_INIT_TASKS=distinct (the default) for the tasks of an engine; if they are to repeat each "
    "other, leave them as they are",
}
"""Kind of finding -> what to do about it."""


@dataclass(frozen=True)
class Finding:
    """A thing that was found at a source line, in all processes of a run.

    Attributes:
        kind: one of `KINDS`.
        what: was called, set, shared or drawn from.
        detail: a few words more; "" for none.
        file: its path, or "Cell In[3]" of a notebook; of processes that are alike their program.
        line: its number; 0 where there is no line.
        function: the qualified name of the user's function; "" where it is not known.
        text: the line of source, without indentation; "" where it is not known.
        count: how often, in all processes.
        processes: how many.
        ranks: the ranks among them, in order.
    """

    kind: str
    what: str
    detail: str
    file: str
    line: int
    function: str
    text: str
    count: int = 1
    processes: int = 1
    ranks: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Finding":
        """The finding that a record has, of this version or of an older one.

        Args:
            content: of a record that `records.read` has checked.
        """
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        texts = {name: known.get(name) or "" for name in ("detail", "file", "function", "text")}
        ranks = tuple(known.get("ranks", ()))
        return cls(**{**known, **texts, "line": known.get("line") or 0, "ranks": ranks})

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {**asdict(self), "ranks": list(self.ranks)}


@dataclass
class _Merged:
    fields: dict[str, Any]
    count: int = 0
    processes: set[Path] = field(default_factory=set)
    ranks: set[int] = field(default_factory=set)


def collect(processes: "Sequence[Process]") -> list[Finding]:
    """Return the findings of a run, over all its processes and ranks, by kind, file and line.

    Args:
        processes: as `journal.read` gives them.
    """
    merged: dict[tuple[Any, ...], _Merged] = {}
    for process, event in [*_counted(processes), *clones.find(processes), *alike.find(processes)]:
        entry = merged.setdefault(_key(event), _Merged({name: event[name] for name in _FIELDS}))
        entry.count += event["count"]
        entry.processes.add(process.file)
        if process.rank is not None:
            entry.ranks.add(process.rank)
    order = list(KINDS)
    findings = [
        Finding(
            **entry.fields,
            count=entry.count,
            processes=len(entry.processes),
            ranks=tuple(sorted(entry.ranks)),
        )
        for entry in merged.values()
    ]
    return sorted(
        findings,
        key=lambda finding: (
            order.index(finding.kind),
            finding.file,
            finding.line,
            finding.what,
            finding.detail,
        ),
    )


def _counted(processes: "Sequence[Process]") -> "Iterator[tuple[Process, dict[str, Any]]]":
    for process in processes:
        # Of one place, the last count of a process is the whole one.
        last = {_key(event): event for event in process.of("finding")}
        for event in last.values():
            yield process, event


_FIELDS = ("kind", "what", "detail", "file", "line", "function", "text")


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(event[name] for name in _FIELDS[:5])


def covered(processes: "Sequence[Process]") -> list[str]:
    """Return the names of imported libraries whose own generators follow SEED.

    Args:
        processes: as `journal.read` gives them.
    """
    events = (event for process in processes for event in process.of("covered"))
    return sorted({event["library"] for event in events})


def indirect(processes: "Sequence[Process]") -> dict[str, str]:
    """Return library that SEED does not reach -> the library that imported it, which is no finding.

    Args:
        processes: as `journal.read` gives them.
    """
    events = (event for process in processes for event in process.of("uncovered"))
    return dict(sorted((event["library"], event["by"]) for event in events))


def not_seen(processes: "Sequence[Process]") -> list[str]:
    """Return what the audit could not watch, one line each, without repetition.

    Args:
        processes: as `journal.read` gives them.
    """
    events = [event for process in processes for event in process.of("unseen", "failed")]
    return list(dict.fromkeys([*(event["what"] for event in events), *units.unseen(processes)]))


def is_blind(processes: "Sequence[Process]", kinds: "Sequence[str]") -> bool:
    """Return whether a finding of these kinds may have been missed.

    A part of the audit that failed may have been any. What the audit knows that it cannot watch is
    operators only (`findings.not_seen`), and units of work, which may be alike.

    Args:
        processes: as `journal.read` gives them.
        kinds: of findings.
    """
    if "alike" in kinds and units.unseen(processes):
        return True
    events = ("failed", "unseen") if "operator" in kinds else ("failed",)
    return bool(kinds) and any(process.of(*events) for process in processes)


def relative(findings: "Sequence[Finding]", cwd: Path) -> list[Finding]:
    """Return the findings, with paths below a directory as they are seen from there.

    Args:
        findings: of a run.
        cwd: the working directory of the run.
    """
    return [replace(finding, file=_relative(finding.file, cwd)) for finding in findings]


def _relative(file: str, cwd: Path) -> str:
    path = Path(file)
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else file
