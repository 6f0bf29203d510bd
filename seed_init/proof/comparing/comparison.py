# SPDX-License-Identifier: Apache-2.0
"""Two records: are they the same run, where do they part, and what could explain it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import environments, steps
from seed_init.proof.comparing.align import InCommon, in_common
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import records, units
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.records import Record

SAME, DIFFERENT, NOTHING = "same", "different", "nothing in common"
UNPROVEN = "unproven"


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        verdict: `SAME` where everything that both have is equal, `DIFFERENT`, `NOTHING` where
            they have nothing in common that could be compared, or `UNPROVEN` where nothing
            differs, but an instrument failed in one of the runs, so that not all was seen.
        difference: where they part first; None where they are not different.
        explanations: differences of environment that could explain it, likeliest first.
        compared: what was compared, as counts and names.
        not_compared: what only one of them has, one line each.
        failures: what failed of what should have looked, one line each.
    """

    verdict: str
    difference: Difference | None
    explanations: list[environments.Explanation]
    compared: dict[str, Any]
    not_compared: list[str]
    failures: list[str]

    @property
    def same(self) -> bool:
        return self.verdict == SAME

    def to_json(self) -> dict[str, Any]:
        """What `seed-init compare --json` prints."""
        return {
            "format": 1,
            "verdict": self.verdict,
            "same": self.same,
            "difference": self.difference.to_json() if self.difference else None,
            "explanations": [asdict(explanation) for explanation in self.explanations],
            "compared": self.compared,
            "not_compared": self.not_compared,
            "failures": self.failures,
        }


def compare(a: Path, b: Path) -> Comparison:
    """Compare two records, or the traces of runs that could not write one.

    Args:
        a: a record, or a trace directory.
        b: the other one.

    Raises:
        records.NotARecord: one of them is neither.
    """
    first, second = (records.read(path, whole=True) for path in (a, b))
    difference = first_difference(first, second)
    if difference is not None:
        difference.runs = [str(a), str(b)]
    common = in_common(first.processes, second.processes)
    failures = [
        f"{path}: {event['what']}"
        for path, record in ((a, first), (b, second))
        for process in record.processes
        for event in process.of("failed")
    ]
    return Comparison(
        _verdict(difference, common, failures),
        difference,
        environments.explain(*map(redaction.record, (first.content, second.content))),
        {
            "processes": common.processes,
            "units": common.units,
            "steps": common.steps,
            "final_weights": common.final_weights,
            "generators": list(common.generators),
        },
        _missing(common, first.processes, second.processes),
        failures,
    )


def _verdict(difference: Difference | None, common: InCommon, failures: list[str]) -> str:
    if difference is not None:
        return DIFFERENT
    if not common:
        return NOTHING
    return UNPROVEN if failures else SAME


def first_difference(a: Record, b: Record) -> Difference | None:
    """What was first observed to differ between two records; None where they are equal.

    Args:
        a: a record that was read.
        b: the other one.
    """
    return steps.first_difference(a.processes, b.processes) or status_difference(a, b)


def status_difference(a: Record, b: Record) -> Difference | None:
    """The difference of two exit statuses; None where they are equal, or one is not known."""
    statuses = [status_of(record) for record in (a, b)]
    if None in statuses or statuses[0] == statuses[1]:
        return None
    text = f"the exit status is {statuses[0]} and {statuses[1]}"
    return Difference("status", text, values=statuses)


def status_of(record: Record) -> int | None:
    """The exit status of a run; None where it is not known."""
    status: int | None = record.content["exit"]["status"]
    return status


def _missing(common: InCommon, first: list[Process], second: list[Process]) -> list[str]:
    lines, processes = [], first + second
    if not common.steps:
        lines.append("training steps: the records have none in common")
    if not all(process.of("end") for process in processes):
        lines.append("the end of a process that was killed")
    if common.alone:
        lines.append(f"{counted(common.alone, 'process', 'es')} that only one of the records has")
    return list(dict.fromkeys([*lines, *units.unseen(first), *units.unseen(second)]))
