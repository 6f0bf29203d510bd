# SPDX-License-Identifier: Apache-2.0
"""Which change between two runs broke their equality: as few things changed as possible."""

from dataclasses import dataclass

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.running import arms
from seed_init.proof.running.arms import Arm
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
        broke: the perturbation without which runs are equal; None where it is none.
    """

    first: Outcome
    second: Outcome
    difference: Difference
    broke: str | None = None

    @property
    def is_observers(self) -> bool:
        """True where only the training hooks tell the two runs apart."""
        return self.first.run.arm.observed != self.second.run.arm.observed


def attribute(runs: Runs, parted: Parted) -> Attributed:
    """Run the command again, to find what broke the equality of two runs.

    Args:
        runs: of the verification.
        parted: two of them, which are not the same.

    Raises:
        OSError, journal.Unreadable, commands.CannotStart: a run could not be made.
    """
    first, second = parted.first, parted.second
    again = runs.run(first.run.arm, why="the base again")
    plain = first_difference(runs, first, again)
    if plain is not None:
        return Attributed(first, again, plain)
    if not second.run.arm.observed:
        return _without_hooks(runs, parted)
    singles = arms.single_arms(second.run.arm)
    for arm in singles:
        alone = runs.run(arm, why=f"{arm.name} alone")
        found = first_difference(runs, first, alone)
        if found is not None:
            return Attributed(first, alone, found, arm.name)
    once_more = runs.run(second.run.arm, why="all changed again")
    found = first_difference(runs, first, once_more)
    if found is not None and singles:
        return Attributed(first, once_more, found, SEVERAL)
    parted.difference.trail.append(
        f"seen in one of {len(runs.made)} runs: what differs depends on timing or chance"
    )
    return Attributed(first, second, parted.difference)


def _without_hooks(runs: Runs, parted: Parted) -> Attributed:
    """The run without training hooks is the one that differs."""
    first, second, difference = parted.first, parted.second, parted.difference
    again = runs.run(second.run.arm, why="without hooks again")
    plain = first_difference(runs, second, again)
    if plain is not None:
        return Attributed(second, again, plain)
    # Without hooks objects lie elsewhere as well.
    moved = runs.run(Arm(arms.LAYOUT, (arms.LAYOUT,)), why=f"{arms.LAYOUT} alone")
    found = first_difference(runs, first, moved)
    if found is not None:
        return Attributed(first, moved, found, arms.LAYOUT)
    difference.text += (
        "; runs with training hooks are equal to each other, and so are those without: the "
        "observer changes this program, which is a defect of seed-init"
    )
    return Attributed(first, second, difference)
