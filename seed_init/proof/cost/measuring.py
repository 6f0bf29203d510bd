# SPDX-License-Identifier: Apache-2.0
"""This module runs a program with each choice of the determinism variables, and keeps figures.

A round runs every choice once, in random order, and `off` twice: what the two of them differ by is
the noise. A machine that becomes slower meanwhile is slower for all. Every run is a fresh process
that ends after its steps.
"""

import contextlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seed_init.proof.auditing import collecting
from seed_init.proof.cost.choices import CHOICES, REFERENCE, Choice
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import conditions, requests, runner, workspace
from seed_init.proof.trace import journal, record_parts
from seed_init.proof.trace.journal import Process

LEAST_STEPS = 3
"""Timed steps that a program has to make to be measured."""

PROFILED_STEPS = 10
"""Steps that the profiler looks at: it keeps every call of every operator."""

LINGER = 0.5
"""Seconds that processes have that a run leaves behind: it was cut short, as they know."""

ALERT = " does not have a deterministic implementation"
"""In the error of at::Context::alertNotDeterministic, after the operator's name."""

EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt): ")
"""The line of a traceback that says what was raised."""

Progress = Callable[[str], None]
"""Told what is being done, a few times a second."""


@dataclass(frozen=True)
class Request(requests.Request):
    """What is to be measured.

    Attributes:
        steps: optimizer steps that are timed in each run.
        warmup: steps before them.
        repeats: rounds.
        choices: names of those that are offered; `off` is always measured.
    """

    steps: int = 50
    warmup: int = 10
    repeats: int = 3
    choices: tuple[str, ...] = tuple(CHOICES)


@dataclass(frozen=True)
class Sample:
    """What one run gave.

    Attributes:
        round: in which it was, from 0.
        seconds: of each timed step; empty where there were too few.
        calls: steps that were made, with those of the warm-up.
        whole: seconds of the whole run.
        memory: bytes at most: `resident`, and of CUDA `allocated` and `reserved`.
        digest: of parameters and generators after the last step; None where there was none.
        clock: "cuda" or "wall".
        flags: those in effect at the end.
        failed: why the program failed; None where it did not.
        raised: the operator for which PyTorch raised; None for none.
    """

    round: int
    seconds: tuple[float, ...]
    calls: int
    whole: float
    memory: Mapping[str, int | None]
    digest: str | None
    clock: str
    flags: Mapping[str, str]
    failed: str | None = None
    raised: str | None = None


@dataclass
class Measured:
    """One choice with the samples of its runs; of `off`, `again` has the second ones."""

    choice: Choice
    samples: list[Sample] = field(default_factory=list)
    again: list[Sample] = field(default_factory=list)


@dataclass
class Measurements:
    """Everything that was seen.

    Attributes:
        request: what was asked for.
        seed: SEED of the runs; None where they are not seeded.
        machine: torch, CUDA, GPUs and threads, of a run.
        measured: by name of the choice, in the order of the table.
        left_out: name of a choice that was not run -> why.
        operators: findings of the audit under `off` and under `warn`.
        profiles: choice -> operator -> seconds and calls, of `profile`.
        notes: what a reader should know, one line each.
    """

    request: Request
    seed: str | None
    machine: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    operators: dict[str, list[collecting.Finding]] = field(default_factory=dict)
    profiles: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class CannotMeasure(Exception):
    """The command gives nothing to measure. The text is one line for the user."""


class Measurer:
    """A runner of one command with all choices. Use it as a context manager.

    Args:
        request: what to measure.
        progress: told what is being done.
        offered: name to choice, in the order of the table, with `off` and `warn` among them.

    Raises:
        commands.CannotStart: there is no such command.
        signals.Ended: a signal came.
    """

    def __init__(
        self,
        request: Request,
        progress: Progress | None = None,
        offered: Mapping[str, Choice] = CHOICES,
    ) -> None:
        self.request = request
        self.offered = offered
        self.progress = progress
        self.environment = record_parts.environment_of_runs("cost", request.environment)
        # A failure is told by the last line on stderr, which should be the program's.
        self.environment["SEED_INIT_LOG"] = "quiet"
        self.cwd = request.cwd or Path.cwd()
        seed = requests.seed_of(self.environment)
        self.result = Measurements(request, None if seed == "off" else seed)
        self._runs = 0
        self._planned = 0
        self._open = contextlib.ExitStack()
        self._own = self._open.enter_context(workspace.results("cost"))
        self._run_directory = self._open.enter_context(workspace.RunDirectory())

    def __enter__(self) -> "Measurer":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def measure(self) -> Measurements:
        """Look at the program, then measure it.

        Raises:
            CannotMeasure: no run under `off` gives anything.
        """
        uses_cuda = self._look()
        chosen = self._chosen(uses_cuda)
        self.result.measured = {choice.name: Measured(choice) for choice in chosen}
        order = [*chosen, self.offered[REFERENCE]]
        self._planned = self._runs + len(order) * self.request.repeats
        for number in range(self.request.repeats):
            random.SystemRandom().shuffle(order)
            for choice in order:
                self._round(choice, number)
        return self.result

    def _look(self) -> bool:
        """Make an untimed run under `off` and one under `warn`; return whether CUDA is used."""
        self._planned = 2 + (len(self.request.choices) + 1) * self.request.repeats
        uses_cuda = False
        for name in (REFERENCE, "warn"):
            plan = {"instruments": ["auditing", "timing"], "audit": ["operators"]}
            run, processes = self._run(self.offered[name], plan, f"a look under {name}")
            timing = _timing(processes)
            if name == REFERENCE:
                self._refuse_nothing(run, processes, timing)
            if timing is not None:
                self._shorten(timing["calls"])
                uses_cuda = uses_cuda or bool(timing["machine"]["gpus"])
                self.result.machine = self.result.machine or timing["machine"]
            findings = collecting.relative(collecting.collect(processes), self.cwd)
            self.result.operators[name] = [
                finding for finding in findings if finding.kind == "operator"
            ]
        return uses_cuda

    def _refuse_nothing(
        self, run: runner.Run, processes: list[Process], timing: "dict[str, Any] | None"
    ) -> None:
        if not processes:
            off = self.environment.get("SEED_INIT", "").strip() == "0"
            why = (
                "SEED_INIT=0 switches the hook off"
                if off
                else run.cut_short()
                or "no Python of it ran the hook; run 'seed-init install' with that Python"
            )
            raise CannotMeasure(f"the command cannot be measured: {why}")
        if timing is None or not timing["calls"]:
            failure = _failure(run, timing)
            if failure:
                raise CannotMeasure(f"the command fails under DETERMINISM=off: {failure}")
        if timing is None:
            raise CannotMeasure("the command cannot be measured: it does not import torch")

    def _shorten(self, calls: int) -> None:
        """Shorten the warm-up if the program makes too few steps for the whole warm-up."""
        request = self.request
        if 0 < calls < request.warmup + LEAST_STEPS:
            warmup = min(request.warmup, max(1, calls // 4))
            if calls < warmup + LEAST_STEPS:
                raise CannotMeasure(
                    f"the command makes {calls} optimizer step{'s' * (calls > 1)}, and at least "
                    f"{1 + LEAST_STEPS} are needed; let it make more"
                )
            self.request = self.result.request = replace(request, warmup=warmup)
            self.result.notes.append(
                f"the program makes {calls} steps: the warm-up is {warmup}, not {request.warmup}"
            )

    def _chosen(self, uses_cuda: bool) -> list[Choice]:
        chosen = []
        for choice in self.offered.values():
            if choice.name != REFERENCE and choice.name not in self.request.choices:
                continue
            if choice.needs_cuda and not uses_cuda:
                self.result.left_out[choice.name] = "no effect: the program uses no CUDA device"
            else:
                chosen.append(choice)
        return chosen

    def _round(self, choice: Choice, number: int) -> None:
        plan = {"instruments": ["timing"]}
        run, processes = self._run(choice, plan, f"{choice.name}, round {number + 1}")
        sample = _sample(number, run, processes)
        measured = self.result.measured[choice.name]
        is_second = any(earlier.round == number for earlier in measured.samples)
        (measured.again if is_second else measured.samples).append(sample)
        for line in (*run.notes, *run.failures):
            if line not in self.result.notes:
                self.result.notes.append(line)

    def profile(self, name: str) -> None:
        """Have the profiler look at a few steps under a choice; what it sees goes to the result.

        Args:
            name: of the choice.
        """
        self._planned = max(self._planned, self._runs + 1)
        steps = min(PROFILED_STEPS, self.request.steps)
        plan = {"instruments": ["timing", "profiling"], "steps": steps}
        _, processes = self._run(self.offered[name], plan, f"the operators under {name}")
        for process in processes:
            for event in process.of("profile"):
                self.result.profiles.setdefault(name, event["operators"])

    def command(self, choice: Choice) -> tuple[str, ...]:
        """What a run with this choice executes: the same command for all, as it is here."""
        return self.request.command

    def _run(
        self, choice: Choice, plan: dict[str, Any], task: str
    ) -> tuple[runner.Run, list[Process]]:
        self._runs += 1
        label = f"run {self._runs} of {max(self._runs, self._planned)} ({task})"
        run = runner.run(
            self.command(choice),
            conditions.base(),
            self._own / f"run-{self._runs}",
            plan={"warmup": self.request.warmup, "steps": self.request.steps, **plan},
            stdin=self.request.stdin,
            environment=choice.environment(self.environment),
            cwd=self.cwd,
            timeout=self.request.timeout,
            # As at a shell's prompt: one layout for all might suit one choice and not another.
            layout="any",
            linger=LINGER,
            progress=self.progress and (lambda passed, _: self._tell(label, passed)),
            run_directory=self._run_directory,
        )
        return run, run.processes()

    def _tell(self, label: str, passed: float) -> None:
        assert self.progress is not None
        self.progress(f"{label}, {passed:.0f} s")


def _timing(processes: list[Process]) -> "dict[str, Any] | None":
    """Return what `timing` wrote in the process with most steps; of equal processes, in rank 0."""
    events = [
        (event["calls"], -(process.rank or 0), -number, event)
        for number, process in enumerate(processes)
        for event in process.of("timing")
    ]
    return max(events, key=lambda row: row[:3])[3] if events else None


def _sample(number: int, run: runner.Run, processes: list[Process]) -> Sample:
    timing = _timing(processes)
    failed = _failure(run, timing)
    if timing is None:
        timing = {"seconds": [], "calls": 0, "memory": {}, "digest": None, "clock": "wall"}
    seconds = timing["seconds"]
    return Sample(
        round=number,
        seconds=tuple(seconds) if len(seconds) >= LEAST_STEPS else (),
        calls=timing["calls"],
        whole=run.seconds,
        memory=timing["memory"],
        digest=_digests(processes) if timing["calls"] else None,
        clock=timing["clock"],
        flags=timing.get("flags", {}),
        failed=failed,
        raised=_raised(run) if failed else None,
    )


def _digests(processes: list[Process]) -> str:
    """Return the digests of all processes that trained, ranks in order."""
    digests = [
        (process.rank or 0, event["digest"])
        for process in processes
        for event in process.of("timing")
        if event["digest"]
    ]
    return " ".join(digest for _, digest in sorted(digests))


def _failure(run: runner.Run, timing: "dict[str, Any] | None") -> str | None:
    """Return why a run failed; None where it succeeded, or had made its steps before."""
    planned = journal.read_plan(run.trace)
    enough = planned["warmup"] + planned["steps"]
    if run.status == 0 or (timing is not None and timing["calls"] >= enough):
        # A notebook whose kernel ends is a failure to whoever executes it, and none here.
        return None
    cut = run.cut_short()
    if run.timeout is not None:
        return cut
    lines = [line for line in run.last_errors(100) if line.strip()]
    # torch.compile adds advice after the error.
    errors = [line for line in lines if EXCEPTION.match(line)]
    last = (errors or lines)[-1:]
    said = f": {without_secrets(last[0].strip())}" if last else ""
    return f"{cut or f'exit status {run.status}'}{said}"


def _raised(run: runner.Run) -> str | None:
    """Return the operator that PyTorch's error of the strict level names; None without error."""
    for line in run.last_errors(200):
        before, alert, _ = line.partition(ALERT)
        if alert:
            return before.split()[-1]
    return None
