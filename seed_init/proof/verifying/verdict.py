# SPDX-License-Identifier: Apache-2.0
"""The result of a verification is plain data, which a record keeps and readers get back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.redaction import redaction

FORMAT = 1

IDENTICAL, DIFFERENT, FAILED, UNPROVEN = "identical", "different", "failed", "unproven"


@dataclass(frozen=True)
class VerifiedRun:
    """One of the runs of a verification.

    Attributes:
        name: "run 1", "run 2", ...
        arm: how it was run, in a few words.
        changed: what was changed in it that must not matter.
        machine: the other machine that was imitated in it; None for this one.
        observed: whether its training hooks were there.
        status: its exit status; None where that is not known.
        seconds: how long it took; None where that is not known.
    """

    name: str
    arm: str = ""
    changed: tuple[str, ...] = ()
    observed: bool = True
    status: int | None = None
    seconds: float | None = None
    machine: str | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "VerifiedRun":
        """The run that `to_json` has written, or the record of an older version."""
        return cls(**{**_known(cls, content), "changed": tuple(content.get("changed", ()))})

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        seconds = None if self.seconds is None else round(self.seconds, 3)
        return {**asdict(self), "changed": list(self.changed), "seconds": seconds}


@dataclass
class Failure:
    """Something of ours that failed, so that what it should have seen was not seen.

    Attributes:
        what: what failed, with the error and where it arose.
        runs: the names of the runs in which it did.
        ranks: the ranks in which it did; empty where there are none.
    """

    what: str
    runs: list[str] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Failure":
        """The failure that `to_json` has written, or the record of an older version."""
        return cls(**_known(cls, content))

    def __str__(self) -> str:
        ranks = f", rank {', '.join(map(str, self.ranks))}" if self.ranks else ""
        return f"{self.what}, in {', '.join(self.runs)}{ranks}"


@dataclass(frozen=True)
class Imitation:
    """Another machine that was imitated, and what came of that.

    Attributes:
        machine: what it is called.
        kind: "CPUs", "instructions" or "emulator".
        run: the name of the run; "" where there was none.
        outcome: "same", "differs", "refused" (the hook refused to start there) or "failed" (the
            imitation did, so that nothing was compared).
        told: what first differed, why it was refused or failed, or what of it was compared; ""
            for everything.
    """

    machine: str
    kind: str = ""
    run: str = ""
    outcome: str = ""
    told: str = ""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Imitation":
        """The imitation that a record has."""
        return cls(**_known(cls, content))


@dataclass(frozen=True)
class Resumption:
    """A run that was stopped and resumed.

    Attributes:
        stopped_after: the optimizer steps after which the signal was sent.
        signal: "TERM" or "KILL".
        made: the steps that the stopped run had made when it was over.
        goes_on_after: the step of the whole run behind which the resumed one goes on, from 0; -1
            for its beginning; None where that is not known.
        restart: the number of the resumed attempt (SEED_INIT_RESTART), where it has one that the
            whole run has not: then it draws from streams of its own. None otherwise.
        compared: the steps of the resumed run that were compared.
    """

    stopped_after: int
    signal: str = "TERM"
    made: int = 0
    goes_on_after: int | None = None
    restart: str | None = None
    compared: int = 0

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Resumption":
        """The resumption that a record has."""
        return cls(**_known(cls, content))


@dataclass
class Verification:
    """The result.

    Attributes:
        verdict: "identical", "different", "failed" (the command itself failed) or "unproven"
            (nothing that was seen differs, but an instrument failed, or nothing was seen).
        command: its words.
        seed: SEED as it was given; None where it was not.
        runs: every run, in order.
        compared: what was compared, as counts and names.
        not_compared: what could not be, one line each.
        broke_equality: the perturbation without which the runs are equal; None otherwise.
        difference: where they part; None where they do not.
        reason: why the command failed, or nothing is proven; None otherwise.
        failures: what failed of what should have looked, and where.
        lost: why a record that was asked for is not there; None where all are.
        machines: the other machines that were imitated; empty where that was not asked for.
        resumed: how a run was stopped and resumed; None where that was not asked for.
    """

    verdict: str
    command: tuple[str, ...] = ()
    seed: str | None = None
    runs: list[VerifiedRun] = field(default_factory=list)
    compared: dict[str, Any] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    broke_equality: str | None = None
    difference: Difference | None = None
    reason: str | None = None
    failures: list[Failure] = field(default_factory=list)
    lost: str | None = None
    machines: list[Imitation] = field(default_factory=list)
    resumed: Resumption | None = None

    @property
    def identical(self) -> bool:
        return self.verdict == IDENTICAL

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Verification":
        """The result that a record has.

        Args:
            content: the section `verdict` of a record that `records.read` has checked; what an
                older version did not write is as if nothing was known of it.
        """
        difference, resumed = content.get("difference"), content.get("resumed")
        return cls(
            **{
                **_known(cls, content),
                "command": tuple(content.get("command", ())),
                "runs": [VerifiedRun.from_json(run) for run in content.get("runs", ())],
                "difference": None if difference is None else Difference.from_json(difference),
                "machines": [Imitation.from_json(each) for each in content.get("machines", ())],
                "failures": [Failure.from_json(failure) for failure in content.get("failures", ())],
                "resumed": None if resumed is None else Resumption.from_json(resumed),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """What `seed-init verify --json` prints: without secrets of the command and its output."""
        content = {
            "format": FORMAT,
            "verdict": self.verdict,
            "command": list(self.command),
            "seed": self.seed,
            "runs": [run.to_json() for run in self.runs],
            "compared": self.compared,
            "not_compared": self.not_compared,
            "broke_equality": self.broke_equality,
            "difference": self.difference.to_json() if self.difference else None,
            "reason": self.reason,
            "failures": [asdict(failure) for failure in self.failures],
            "lost": self.lost,
            "machines": [asdict(machine) for machine in self.machines],
            "resumed": None if self.resumed is None else asdict(self.resumed),
        }
        shown: dict[str, Any] = redaction.deep(content, names=False)
        return shown


def _known(cls: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """What a class has a field for. A later version may have written more."""
    return {name: content[name] for name in cls.__dataclass_fields__ if name in content}
