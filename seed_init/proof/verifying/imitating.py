# SPDX-License-Identifier: Apache-2.0
"""Compare the base run with runs as they would be on other machines: `seed-init verify --portable`.

Every arm is run once. The first one that differs from the base is run again, because what depends
on timing differs now and then on one machine as well, and its step is then looked at closely.

An emulated run takes its time. So it makes the first training steps only, which are compared with
those of the base. A program that makes no training step is emulated to its end.
"""

from typing import Any

from seed_init.hook.refusals import EX_CONFIG
from seed_init.proof.comparing import steps
from seed_init.proof.comparing.align import in_common
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import conditions, emulator
from seed_init.proof.running.emulator import Emulator
from seed_init.proof.running.machines import Arms, Machine, is_portable
from seed_init.proof.trace import journal, units
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import steps_of
from seed_init.proof.verifying.attribution import Attributed
from seed_init.proof.verifying.differing import first_difference
from seed_init.proof.verifying.runs import Outcome, Runs
from seed_init.proof.verifying.verdict import Imitation

SAME, DIFFERS, REFUSED, FAILED = "same", "differs", "refused", "failed"
"""What came of an arm."""

NO_MACHINE = "no other machine was imitated in full, as shown below"
NOT_ALL = "nothing that was seen differs, but not compared, as shown below: "
NO_HOOK = "no Python of this command ran the hook, so that nobody knows what the command would heed"
NO_LEVEL = "DETERMINISM=portable is set, but no Python of this command ran the hook that keeps it"

SLOWDOWN = 40
"""How many times longer a training step takes in the emulator, as a cautious guess."""

MOST_STEPS = 5
"""Training steps that are emulated, unless the user says how many."""


class Imitations:
    """The arms of a verification, and what came of them.

    Attributes:
        seen: one entry for each arm that was run.
        left_out: one line for each machine that could not be imitated.
        is_proven: whether a machine that was imitated in full is the same as the base.
        parted: the base and the first arm that differs from it; None where none does.
    """

    def __init__(self, runs: Runs, base: Outcome) -> None:
        self.seen: list[Imitation] = []
        self.left_out: list[str] = []
        self.parted: Attributed | None = None
        self.is_proven = False
        self._runs = runs
        self._base = base

    def run(self, arms: Arms) -> None:
        """Run every arm, and compare each with the base.

        Args:
            arms: what can be imitated.

        Raises:
            OSError, journal.Unreadable, commands.CannotStart: a run could not be made.
        """
        self.left_out += arms.left_out
        self._runs.plan_for(len(arms.machines))
        for machine in arms.machines:
            self._one(machine)

    def emulate(self, found: Emulator, python: str) -> None:
        """Run the command once for each CPU that is to be emulated.

        Args:
            found: the emulator.
            python: the interpreter of the command.

        Raises:
            OSError, journal.Unreadable, commands.CannotStart: a run could not be made.
        """
        request = self._runs.request
        self._runs.plan_for(len(request.emulate))
        made = most_steps(self._base.processes)
        wanted = request.emulate_steps or affordable(
            self._base.run.seconds, made, request.emulate_seconds
        )
        stop = wanted if made > wanted else None
        for model in request.emulate:
            machine = found.machine(model, self._runs.environment)
            self._runs.tell(f"checking {found.version} as {model}")
            fault = found.fault(model, python)
            if fault is not None:
                self.seen.append(Imitation(machine.name, machine.kind, "", FAILED, fault))
                continue
            self._emulated(machine, stop)
        self.left_out.append(
            f"emulation: by {found.version}; programs that the command starts by exec run on this "
            "machine's own CPU"
        )

    def _emulated(self, machine: Machine, stop: int | None) -> None:
        """Run the command with an emulated CPU, and compare what the run came to.

        Args:
            machine: with the CPU.
            stop: training steps after which the run is ended; None for its own end.
        """
        plan = watched(journal.DEFAULT_PLAN)
        if stop is not None:
            plan = stopped(plan, stop)
        outcome = self._runs.run(
            conditions.on_machine(machine),
            plan,
            why=f"emulating {machine.model}",
            timeout=self._runs.request.emulate_seconds,
            steps=stop,
        )
        refusal = refusal_of(outcome)
        if refusal is not None:
            self._tell(machine, outcome, REFUSED, refusal)
            return
        if outcome.run.signal is not None:
            self._tell(machine, outcome, FAILED, f"{outcome.run.cut_short()}{_last(outcome)}")
            return
        if stop is None and outcome.run.timeout is None:
            self._judge(machine, outcome, first_difference(self._runs, self._base, outcome), "")
            return
        shared = in_common(self._base.processes, outcome.processes).steps
        limit = outcome.run.timeout
        if limit is not None and not shared:
            self._tell(
                machine,
                outcome,
                FAILED,
                f"it was ended after {limit:g} s, before a training step could be compared; give "
                "more --emulate-seconds, or let the command do less",
            )
            return
        why = "" if limit is None else f", because it was ended after {limit:g} s"
        what = f"{counted(shared, 'training step')} compared{why}"
        self._judge(machine, outcome, cut_difference(self._base, outcome, stop), what)

    def _judge(
        self, machine: Machine, outcome: Outcome, difference: Difference | None, what: str
    ) -> None:
        """Note what came of an emulated run, and keep the first one that differs."""
        if difference is None:
            self._tell(machine, outcome, SAME, what)
            self.is_proven = True
            return
        difference.runs = [self._base.name, outcome.name]
        last = _last(outcome) if difference.level == "status" else ""
        self._tell(machine, outcome, DIFFERS, difference.first_observed + last)
        if self.parted is None:
            self.parted = Attributed(self._base, outcome, difference, machine.name)

    @property
    def unproven(self) -> str | None:
        """Why nothing is proven although nothing differs; None where something is."""
        missing = [each.machine for each in self.seen if each.outcome in (REFUSED, FAILED)]
        if not self._base.processes and is_portable(self._runs.environment):
            return NO_LEVEL
        if missing:
            return NOT_ALL + ", ".join(missing)
        return None if self.is_proven else NO_MACHINE

    def _one(self, machine: Machine) -> None:
        if machine.affinity is None and not self._base.processes:
            # Only variables and the hook's own instruments would tell the command of this machine.
            self.seen.append(Imitation(machine.name, machine.kind, "", FAILED, NO_HOOK))
            return
        condition = conditions.on_machine(machine)
        outcome = self._runs.run(condition, why=f"as with {machine.name}")
        if machine.note:
            self.left_out.append(machine.note)
        refusal = refusal_of(outcome)
        if refusal is not None:
            self._tell(machine, outcome, REFUSED, refusal)
            return
        difference = first_difference(self._runs, self._base, outcome)
        if difference is None:
            self._tell(machine, outcome, SAME, machine.part or "")
            self.is_proven = self.is_proven or machine.part is None
            return
        self._tell(machine, outcome, DIFFERS, difference.first_observed)
        if self.parted is not None:
            return
        again = self._runs.run(condition, why=f"{machine.name} again")
        once_more = first_difference(self._runs, self._base, again)
        if once_more is None:
            difference.trail.append(
                f"seen in one of two runs as with {machine.name}: what differs depends on timing "
                "or chance as well"
            )
            again, once_more = outcome, difference
        self.parted = Attributed(self._base, again, once_more, machine.name)

    def _tell(self, machine: Machine, outcome: Outcome, what: str, told: str) -> None:
        self.seen.append(Imitation(machine.name, machine.kind, outcome.name, what, told))


def most_steps(processes: list[Process]) -> int:
    """Return how many training steps the process has made that made most."""
    return max((len(steps_of(process)) for process in units.parted(processes)), default=0)


def affordable(seconds: float, made: int, limit: float) -> int:
    """Return how many training steps are emulated: at least 1, and MOST_STEPS at most.

    Args:
        seconds: that the base run took.
        made: the training steps that it made.
        limit: seconds that an emulated run has.
    """
    each = seconds / max(made, 1) * SLOWDOWN
    return max(1, min(MOST_STEPS, int(limit / 2 / max(each, 1e-9))))


def watched(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan that tells of processes which are not in the emulator."""
    return {**plan, "instruments": ["emulated", *plan["instruments"]]}


def stopped(plan: dict[str, Any], calls: int, optimizer: int | None = None) -> dict[str, Any]:
    """Return a plan by which a program ends after some training steps.

    Args:
        plan: without that.
        calls: how many.
        optimizer: the number of the optimizer that makes them; None for any.
    """
    stop = {"calls": calls, "optimizer": optimizer}
    return {**plan, "instruments": [*plan["instruments"], "stopping"], "stop": stop}


def first_step(base: Outcome, cut: Outcome) -> Difference | None:
    """What first differs in the training steps that a run has made which was cut short.

    Args:
        base: the whole run.
        cut: the other one. What only one of the two has is no difference.
    """
    without_end = [
        Process(
            process.header,
            process.file,
            [event for event in process.events if event["event"] != "end"],
        )
        for process in cut.processes
    ]
    return steps.first_difference(base.processes, without_end, failed=True)


def cut_difference(base: Outcome, cut: Outcome, stop: int | None) -> Difference | None:
    """What first differs in a run that was ended after its first training steps.

    Args:
        base: the whole run.
        cut: the other one.
        stop: the training steps after which it was to be ended; None if only for its time.
    """
    difference = first_step(base, cut)
    if difference is not None or cut.run.timeout is not None:
        return difference
    # It was to make more steps than that, and ended by itself.
    statuses = [base.run.status, cut.run.status]
    if statuses[0] != statuses[1]:
        text = f"the exit status is {statuses[0]} and {statuses[1]}"
        return Difference("status", text, values=statuses)
    made = most_steps(cut.processes)
    if stop is not None and made < stop:
        return Difference("trace", f"the run ended by itself after {counted(made, 'step')}")
    return None


def _last(outcome: Outcome) -> str:
    """The last line on stderr that is not the emulator's warning, for the end of a sentence."""
    lines = [
        line
        for line in outcome.run.last_errors(100)
        if line.strip() and not emulator.WARNING.match(line)
    ]
    return f"; its last line on stderr: {without_secrets(lines[-1])}" if lines else ""


def refusal_of(outcome: Outcome) -> str | None:
    """Return the line with which the hook refused to start a run; None where it did not.

    Args:
        outcome: of a run whose base ended with status 0.
    """
    if outcome.run.status != EX_CONFIG:
        return None
    said = [line for line in outcome.run.last_errors(100) if line.startswith("seed_init: ")]
    return without_secrets(said[-1].removeprefix("seed_init: ")) if said else None
