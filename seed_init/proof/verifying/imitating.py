# SPDX-License-Identifier: Apache-2.0
"""Compare the base run with runs as they would be on other machines: `seed-init verify --portable`.

Every arm is run once. The first one that differs from the base is run again, because what depends
on timing differs now and then on one machine as well, and its step is then looked at closely.
"""

from seed_init.hook.refusals import EX_CONFIG
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import conditions
from seed_init.proof.running.machines import Arms, Machine
from seed_init.proof.verifying.attribution import Attributed
from seed_init.proof.verifying.differing import first_difference
from seed_init.proof.verifying.runs import Outcome, Runs
from seed_init.proof.verifying.verdict import Imitation

SAME, DIFFERS, REFUSED, FAILED = "same", "differs", "refused", "failed"
"""What came of an arm."""

NO_MACHINE = (
    "no other machine was compared: each was left out, refused or cut short, as shown below"
)


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

    def _one(self, machine: Machine) -> None:
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


def refusal_of(outcome: Outcome) -> str | None:
    """Return the line with which the hook refused to start a run; None where it did not.

    Args:
        outcome: of a run whose base ended with status 0.
    """
    if outcome.run.status != EX_CONFIG:
        return None
    said = [line for line in outcome.run.last_errors(100) if line.startswith("seed_init: ")]
    return without_secrets(said[-1].removeprefix("seed_init: ")) if said else None
