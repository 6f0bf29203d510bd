"""Two records: are they the same run, where do they part, and what could explain it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seed_init.proof import comparing, explaining, journal, records, redaction
from seed_init.proof.differences import Difference


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        same: True where everything that both have is equal.
        difference: where they part first; None where they are the same.
        explanations: differences of environment that could explain it, likeliest first.
        compared: what was compared, as counts and names.
        not_compared: what only one of them has, one line each.
    """

    same: bool
    difference: Difference | None
    explanations: list[explaining.Difference]
    compared: dict[str, Any]
    not_compared: list[str]

    def to_json(self) -> dict[str, Any]:
        """What `seed-init compare --json` prints."""
        return {
            "format": 1,
            "same": self.same,
            "difference": self.difference.to_json() if self.difference else None,
            "explanations": [asdict(each) for each in self.explanations],
            "compared": self.compared,
            "not_compared": self.not_compared,
        }


def compare(a: Path, b: Path) -> Comparison:
    """Compare two records, or the traces of runs that could not write one.

    Args:
        a: a record, or a trace directory.
        b: the other one.

    Raises:
        records.NotARecord: one of them is neither.
    """
    loaded = records.load(a), records.load(b)
    one, other = (_processes(path, record) for path, record in zip((a, b), loaded))
    difference = comparing.first_difference(one, other) or _status(*loaded)
    if difference is not None:
        difference.runs = [str(a), str(b)]
    pairs, _ = comparing.paired(one, other)
    steps = [min(len(x.of("step")), len(y.of("step"))) for x, y in pairs]
    compared = {"processes": len(pairs), "steps": max(steps, default=0)}
    return Comparison(
        difference is None,
        difference,
        explaining.explain(*map(redaction.record, loaded)),
        compared,
        _missing(steps, one + other),
    )


def _processes(path: Path, record: dict[str, Any]) -> list[journal.Process]:
    # A trace has all 64 bits of each tensor, a record of it only some.
    return journal.read(path) if path.is_dir() else records.processes(record)


def _status(a: dict[str, Any], b: dict[str, Any]) -> Difference | None:
    statuses = [record.get("exit", {}).get("status") for record in (a, b)]
    if None in statuses or statuses[0] == statuses[1]:
        return None
    text = f"the exit status is {statuses[0]} and {statuses[1]}"
    return Difference("status", text, values=statuses)


def _missing(steps: list[int], processes: list[journal.Process]) -> list[str]:
    lines = []
    if not any(steps):
        lines.append("training steps: the records have none in common")
    if not all(process.of("end") for process in processes):
        lines.append("the end of a process that was killed")
    return lines
