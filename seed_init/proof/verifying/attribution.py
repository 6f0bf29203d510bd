# SPDX-License-Identifier: Apache-2.0
"""More runs find which change broke the equality of two runs."""

from dataclasses import dataclass

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.running import conditions
from seed_init.proof.running.conditions import Condition
from seed_init.proof.verifying.differing import first_difference
from seed_init.proof.verifying.runs import Outcome, Runs

SEVERAL = "several perturbations together"


class Parted(Exception):
    """Two runs are not the same."""

    def __init__(self, first: Outcome, second: Outcome, difference: Difference) -> None:
        super().__init__(difference.text)
        self.first, self.second, self.difference = first, second, difference


@dataclass
class Attributed:
    """The two runs to look at closely.

    Attributes:
        first: one of them.
        second: the other one.
        difference: what was first observed to differ between the two.
        broke: the perturbation without which runs are equal; None where no perturbation
            is to blame.
    """

    first: Outcome
    second: Outcome
    difference: Difference
    broke: str | None = None

    @property
    def is_observers(self) -> bool:
        """True where only the training hooks tell the two runs apart."""
        return self.first.run.condition.observed != self.second.run.condition.observed


def attribute(runs: Runs, parted: Parted) -> Attributed:
    """Run the command again, to find what broke the equality of two runs.

    Args:
        runs: of the verification.
        parted: two of them, which are not the same.

    Raises:
        OSError, journal.Unreadable, commands.CannotStart: a run could not be made.
    """
    first, second = parted.first, parted.second
    again = runs.run(first.run.condition, why="the base again")
    plain = first_difference(runs, first, again)
    if plain is not None:
        return Attributed(first, again, plain)
    if not second.run.condition.observed:
        return _without_hooks(runs, parted)
    singles = conditions.single_changes(second.run.condition)
    for condition in singles:
        alone = runs.run(condition, why=f"{condition.name} alone")
        difference = first_difference(runs, first, alone)
        if difference is not None:
            return Attributed(first, alone, difference, condition.name)
    once_more = runs.run(second.run.condition, why="all changed again")
    difference = first_difference(runs, first, once_more)
    if difference is not None and singles:
        return Attributed(first, once_more, difference, SEVERAL)
    parted.difference.trail.append(
        f"seen in one of {len(runs.outcomes)} runs: what differs depends on timing or chance"
    )
    return Attributed(first, second, parted.difference)


def _without_hooks(runs: Runs, parted: Parted) -> Attributed:
    """Find what broke the equality if the run without training hooks is the run that differs."""
    first, second, difference = parted.first, parted.second, parted.difference
    again = runs.run(second.run.condition, why="without hooks again")
    plain = first_difference(runs, second, again)
    if plain is not None:
        return Attributed(second, again, plain)
    # Without hooks objects lie elsewhere as well.
    moved = runs.run(
        Condition(conditions.LAYOUT, (conditions.LAYOUT,)), why=f"{conditions.LAYOUT} alone"
    )
    moved_difference = first_difference(runs, first, moved)
    if moved_difference is not None:
        return Attributed(first, moved, moved_difference, conditions.LAYOUT)
    difference.text += (
        "; runs with training hooks are equal to each other, and so are those without: the "
        "observer changes this program, which is a defect of seed-init"
    )
    return Attributed(first, second, difference)
