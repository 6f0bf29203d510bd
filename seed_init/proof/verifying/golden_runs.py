# SPDX-License-Identifier: Apache-2.0
"""Compare a run with a golden one that is kept in a file, and make such runs.

A golden run is written only where the runs of a verification are identical. A later run is
compared with the golden run of its environment. If the file has none for it, the run is compared
with the golden run of the environment that is most like it: equal bits need no equal environment.
"""

import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import seed_init
from seed_init.proof.arithmetic import kept
from seed_init.proof.comparing import facts, output_lines
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, conditions, requests, workspace
from seed_init.proof.trace import records
from seed_init.proof.verifying import coverage, golden, verifier
from seed_init.proof.verifying.differing import are_several
from seed_init.proof.verifying.golden import Section
from seed_init.proof.verifying.runs import Outcome, Progress, Request, Runs
from seed_init.proof.verifying.verdict import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    UNPROVEN,
    Failure,
    Verification,
    VerifiedRun,
)

FORMAT = 1
"""Of the JSON. Another number: another meaning of what is in it."""

NO_GOLDEN_RUN = "no golden run"
"""Verdict: the run is not that of another environment, and there is none of this one."""

NOT_REPEATED = (
    "the run does not repeat itself, so that no golden run can hold for it; seed-init verify -- "
    "CMD says why"
)


class OtherOptions(Exception):
    """A golden run was written with other options. The text is one line for the user."""


@dataclass
class Compared:
    """What came of a comparison with a golden run.

    Attributes:
        verdict: as of a verification, or `NO_GOLDEN_RUN`.
        file: that has the golden run.
        command: its words.
        seed: SEED as it was given; None where it was not.
        runs: that were made.
        environment: name -> value of what decides bits here.
        unlike: in which facts the environment of the golden run is another one: name, golden, here.
        difference: where the run parts from the golden one; None where it does not.
        commit: at which the golden run was made; None where that is not known.
        section: of the run; None where it failed.
        reason: why the command failed or nothing is proven, or what is known of the difference.
        failures: what failed of what should have looked.
    """

    verdict: str
    file: str
    command: tuple[str, ...]
    seed: str | None
    runs: list[VerifiedRun] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    unlike: list[tuple[str, str, str]] = field(default_factory=list)
    difference: Difference | None = None
    commit: str | None = None
    section: Section | None = None
    reason: str | None = None
    failures: list[Failure] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what `seed-init verify --golden --json` prints."""
        content = {
            "format": FORMAT,
            "verdict": self.verdict,
            "golden": self.file,
            "command": list(self.command),
            "seed": self.seed,
            "runs": [run.to_json() for run in self.runs],
            "environment": self.environment,
            "unlike": [
                {"what": what, "golden": there, "here": here} for what, there, here in self.unlike
            ],
            "commit": self.commit,
            "difference": self.difference.to_json() if self.difference else None,
            "reason": self.reason,
            "failures": [asdict(failure) for failure in self.failures],
        }
        shown: dict[str, Any] = redaction.deep(content, names=False)
        return shown


def compare(
    request: Request, file: Path, sections: Sequence[Section], progress: Progress | None = None
) -> Compared:
    """Run the command once, and compare the run with a golden one.

    Args:
        request: the command, and how it is run; `facts` has to be on.
        file: that has the golden runs.
        sections: that it has; at least one.
        progress: told what is being done.

    Raises:
        commands.CannotStart: there is no such command.
        output_lines.BadPattern: `ignore_output` has one that is no regular expression.
        signals.Ended: a signal came.
        journal.Unreadable: a trace is damaged.
        OSError: there is no place for traces.
    """
    output_lines.patterns(request.ignore_output)
    with workspace.results("verify") as directory, workspace.RunDirectory() as own:
        runs = Runs(request, progress, directory, own)
        seed = requests.seed_of(runs.environment)
        found = Compared(IDENTICAL, str(file), request.command, seed)
        _compare(runs, sections, found)
        found.runs = [outcome.summary() for outcome in runs.outcomes]
        found.failures = coverage.failures_of(runs.outcomes)
        return found


def _compare(runs: Runs, sections: Sequence[Section], found: Compared) -> None:
    outcome = runs.run(conditions.base())
    if outcome.run.status:
        found.verdict, found.reason = FAILED, verifier.failure_text(outcome.run)
        return
    here = facts_of(runs, outcome)
    nearest = min(sections, key=lambda section: _distance(golden.unlike(section, here.facts)))
    _check_options([nearest], here)
    found.environment = here.facts
    found.unlike = golden.unlike(nearest, here.facts)
    found.commit = nearest.told.get("commit")
    found.section = _measured(runs, outcome, here, nearest)
    found.difference = golden.first_difference(nearest, found.section)
    if coverage.failures_of([outcome]):
        found.verdict, found.reason = UNPROVEN, "not everything was seen"
    elif found.difference is None:
        if not _is_evidence(found.section):
            found.verdict, found.reason = UNPROVEN, verifier.NOTHING_SEEN
    elif found.unlike:
        found.verdict = NO_GOLDEN_RUN
    else:
        found.verdict = DIFFERENT
        again = runs.run(conditions.base(), why="the run again")
        repeated = _measured(runs, again, here, nearest)
        if golden.first_difference(found.section, repeated) is not None:
            found.reason = NOT_REPEATED


def made(request: Request, progress: Progress | None = None) -> tuple[Verification, Section | None]:
    """Verify a command, and return its golden run.

    Args:
        request: what to run and to compare; `facts` has to be on.
        progress: told what is being done.

    Returns:
        The result of the verification, and the golden run; None where the runs are not identical.

    Raises:
        commands.CannotStart, output_lines.BadPattern, signals.Ended, OSError: as `verifier.verify`.
    """
    sections: list[Section] = []

    def take(runs: Runs, verification: Verification) -> None:
        if verification.identical:
            base = runs.outcomes[0]
            sections.append(_measured(runs, base, facts_of(runs, base)))

    verification = verifier.verify(request, progress, take)
    return verification, sections[0] if sections else None


def joined(sections: Sequence[Section], new: Section) -> list[Section]:
    """Return golden runs with a new one in the place of that of its environment, or at the end.

    Raises:
        OtherOptions: the others were written with other options, so that no command could be
            compared with all of them.
    """
    others = [section for section in sections if golden.unlike(section, new.facts)]
    _check_options(others, new)
    places = [number for number, section in enumerate(sections) if section not in others]
    at = places[0] if places else len(sections)
    before = [section for section in sections[:at] if section in others]
    after = [section for section in sections[at:] if section in others]
    return [*before, new, *after]


OPTIONS = ("--file", "--ignore-output")
"""What they say decides which digests a golden run has."""


def _check_options(sections: Sequence[Section], here: Section) -> None:
    for section in sections:
        for option in OPTIONS:
            there, given = (each.told.get(option, "") for each in (section, here))
            if there != given:
                raise OtherOptions(
                    f"the golden run was written with {option} {there or '(not given)'}, and this "
                    f"run is made with {option} {given or '(not given)'}; give the same, or write "
                    "another file"
                )


def _distance(unlike: Sequence[tuple[str, str, str]]) -> tuple[int, int]:
    """Return how far an environment is: another command or setting counts before all else."""
    machine = ("Python", "numpy", "torch", "CUDA", "cuDNN", "GPU", golden.ARITHMETIC, golden.CPU)
    asked = sum(what not in machine for what, _, _ in unlike)
    return asked, len(unlike)


def _is_evidence(section: Section) -> bool:
    """Return whether something was seen that can say that two runs are the same.

    The last positions of generators say nothing of a program that draws nothing.
    """
    ends = (training.end for training in section.processes.values())
    is_trained = section.checkpoints or any(
        end.get("weights") != golden.NONE for end in ends if end
    )
    return bool(is_trained or section.output[0] or section.files)


def _measured(
    runs: Runs, outcome: Outcome, facts_here: Section, like: Section | None = None
) -> Section:
    """Return the digests of a run, with the checkpoints of another one if that is given."""
    engines = output_lines.of_engines(outcome.processes)
    ignored = (*runs.request.ignore_output, *engines)
    several = are_several(outcome.processes)
    return Section(
        facts_here.facts,
        facts_here.told,
        golden.trained(outcome.processes, like.processes if like is not None else None),
        output_lines.digest(outcome.run.stdout_file, ignored, several),
        {
            name: golden.digest(*(f"{entry}={value}" for entry, value in sorted(entries.items())))
            for name, entries in outcome.files.items()
        },
    )


# --- The environment ------------------------------------------------------------------------------


def facts_of(runs: Runs, outcome: Outcome) -> Section:
    """Return what decides the bits of a run, and what explains it, as a section without digests."""
    trace = outcome.run.trace
    started = outcome.ended - outcome.run.seconds
    records.begin(trace, runs.request.command, "verify", whole=True, started=started)
    content = records.assemble(
        *(trace, outcome.processes),
        ended=time.time(),
        status=outcome.run.status,
        how="exit",
        here=True,
        budget=0,
    )
    fingerprint = kept.of_a_record(content, runs.environment)
    arithmetic = golden.UNKNOWN if fingerprint is None else fingerprint.hash
    torch, python = content["torch"] or {}, content["python"] or {}
    threads = torch.get("threads") or {}
    gpus = sorted({f"{gpu['name']} ({gpu['capability']})" for gpu in content["gpu"]["used"]})
    world = (content["distributed"] or {}).get("world")
    deciding = {
        "command": _command(runs.request.command),
        **facts.settings(content),
        "PYTHONHASHSEED": python.get("hash_seed"),
        "Python": ".".join(python.get("version", "").split(".")[:2]),
        "numpy": content["packages"].get("numpy"),
        "torch": torch.get("version"),
        "CUDA": torch.get("cuda") if gpus else None,
        "cuDNN": torch.get("cudnn") if gpus else None,
        "GPU": ", ".join(gpus),
        "threads": threads.get("intraop"),
        "ranks": world,
        golden.ARITHMETIC: arithmetic,
        golden.CPU: _cpu(content),
    }
    code = content["code"]
    changed = " with changes" if code["dirty"] else ""
    told = {
        "commit": f"{code['commit'][:12]}{changed}" if code["commit"] else None,
        "seed-init": seed_init.__version__,
        "--file": shlex.join(runs.request.files),
        "--ignore-output": shlex.join(runs.request.ignore_output),
    }
    return Section(_plain(deciding), _plain(told))


def _plain(facts_here: dict[str, Any]) -> dict[str, str]:
    """Return facts as lines of a file can have them, without those that there are not."""
    return {
        name: " ".join(str(value).split())
        for name, value in facts_here.items()
        if value not in (None, "")
    }


def _command(words: Sequence[str]) -> str:
    """Return a command as it is the same on each machine: the path of its Python is not."""
    shown = redaction.words(words)
    if shown and commands.is_python(shown[0]):
        shown[0] = "python"
    return shlex.join(shown)


def _cpu(content: dict[str, Any]) -> str | None:
    cpu = content["cpu"]
    if not cpu:
        return None
    return ", ".join(str(cpu[name]) for name in ("model", "capability") if cpu.get(name))
