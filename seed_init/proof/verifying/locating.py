# SPDX-License-Identifier: Apache-2.0
"""Where a difference is first observed: rerun the step at which it was seen, and look closely."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from seed_init.proof.comparing import seeds
from seed_init.proof.comparing.align import paired
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.events import first_in_window
from seed_init.proof.comparing.steps import first_difference
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import end_of, steps_of

ATTEMPTS = 3
"""Pairs of reruns: a difference that comes from timing may show at another step, or not at all."""

INSTRUMENTS = ["steps", "end", "window", "seeds"]

Rerun = Callable[[int, dict[str, Any]], list[Process]]
"""Rerun the first (0) or the second (1) of the two runs with a plan; gives its processes."""


@dataclass(frozen=True)
class Window:
    """The step to look at: call `call` of optimizer `optimizer`, from the end of the one before."""

    optimizer: int
    call: int

    def plan(self, operators: bool) -> dict[str, Any]:
        """The plan that observes it.

        Args:
            operators: look at each operator; not under torch.compile, which compiles nothing then.
        """
        options = {"optimizer": self.optimizer, "call": self.call, "operators": operators}
        return {"instruments": INSTRUMENTS, "window": options}


def locate(
    coarse: Difference, seen: list[list[Process]], rerun: Rerun, uncompiled: bool = False
) -> Difference:
    """Look closely at a difference.

    Args:
        coarse: what `first_difference` found, or a difference of outputs.
        seen: the processes of the two runs in which it was found.
        rerun: runs the command again.
        uncompiled: whether a compiled program is looked at as it is without torch.compile.

    Returns:
        The difference, as finely as it could be seen, with the way there in its trail.
    """
    window = window_of(coarse, seen[0])
    trail = [coarse.first_observed]
    operators = uncompiled or not is_compiled(seen[0])
    if uncompiled:
        trail.append("the closer look is at the program without torch.compile")
    elif not operators:
        trail.append("the program is compiled: what happens within a compiled graph is not seen")
    looks: list[list[Process]] = []
    seed: Difference | None = None
    # What is only printed or written leaves no trace in a step.
    attempts = 1 if coarse.level in ("output", "file", "status") else ATTEMPTS
    for _ in range(attempts):
        plan = window.plan(operators)
        looks += [rerun(0, plan), rerun(1, plan)]
        seed = seed or seeds.first_unequal(*looks[-2:])
        pair = _first(looks)
        if pair is None:
            if seed is None:
                trail.append(_seen_equal(len(looks), coarse, operators))
            continue
        again, fine = pair
        if coarse.step is None and again is not None and again.step is not None:
            # The runs in which it was seen had no training hooks.
            coarse = replace(again, runs=coarse.runs)
        if fine is None and again is not None and _window(again) not in (None, window):
            trail.append(f"in a rerun: {again.first_observed}")
            window, looks = _window(again) or window, []
            continue
        if fine is not None:
            if seed is not None:
                trail.append(f"before that: {seed.text}")
            return merged(coarse, again, fine, window, trail)
    if seed is not None:
        return replace(seed, runs=coarse.runs, trail=[*trail, seed.first_observed])
    if coarse.level == "output" and looks and (names := seeds.compiled(looks[0])):
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        trail.append(
            f"compiled packages that were imported, and whose generators nobody sees: "
            f"{', '.join(names[:MOST_NAMED])}{more}"
        )
    coarse.trail = trail
    return coarse


MOST_NAMED = 12
"""Compiled packages that are named."""


def _seen_equal(count: int, coarse: Difference, operators: bool) -> str:
    if coarse.step is not None:
        return f"{count} reruns of that step were equal to each other"
    looked = ["seeds", "draws", *(["operators"] if operators else [])]
    return (
        f"in {count} reruns a closer look at {', '.join(looked[:-1])} and {looked[-1]} saw nothing "
        "that differs"
    )


def window_of(difference: Difference, processes: list[Process]) -> Window:
    """The step in which a difference arose; what is in no step arose after the last one."""
    window = _window(difference)
    if window is not None:
        return window
    if difference.process < len(processes):
        steps = steps_of(processes[difference.process])
        if steps:
            return Window(steps[-1].optimizer, steps[-1].call + 1)
    return Window(0, 0)


def _window(difference: Difference) -> Window | None:
    if difference.step is None or difference.optimizer is None:
        return None
    return Window(difference.optimizer, difference.step)


def is_compiled(processes: list[Process]) -> bool:
    """True where torch.compile compiled something in one of the processes."""
    return any(end is not None and end.compiled for end in map(end_of, processes))


def _first(looks: list[list[Process]]) -> tuple[Difference | None, Difference | None] | None:
    """Return how the first unequal pair of looks differs: coarsely, finely; None for no pair."""
    for number, first in enumerate(looks):
        for second in looks[number + 1 :]:
            coarse = first_difference(first, second)
            pairs, _ = paired(first, second)
            indices = range(len(pairs)) if coarse is None else [coarse.process]
            for index in indices:
                fine = first_in_window(*pairs[index]) if index < len(pairs) else None
                if fine is not None:
                    fine.rank = pairs[index][0].rank
                    return coarse, fine
            if coarse is not None:
                return coarse, None
    return None


def merged(
    coarse: Difference,
    again: Difference | None,
    fine: Difference,
    window: Window,
    trail: list[str],
) -> Difference:
    """Return the fine difference, with what only the coarse difference knows.

    Args:
        coarse: what was first observed to differ.
        again: the same of the runs that were looked at closely.
        fine: what these runs have shown.
        window: the step that they looked at.
        trail: what was seen so far.
    """
    if again is not None and again.first_observed not in trail:
        trail.append(f"in a rerun: {again.first_observed}")
    if coarse.step is not None or window.call:
        fine.step, fine.optimizer = window.call, window.optimizer
    if coarse.step is None:
        # It arose outside of every step, so no step is named.
        fine.step = None
    if coarse.level == "trace":
        # The real difference is that one run makes more steps. The source line is only a hint.
        fine.level, fine.text = "trace", f"{coarse.text}; {fine.text}"
    for name in ("tensor", "generator", "values"):
        if getattr(fine, name) is None:
            setattr(fine, name, getattr(again or coarse, name))
    fine.runs = coarse.runs
    where = f", in module {fine.module}" if fine.module else ""
    line = f", at {fine.source}" if fine.source else ""
    fine.text += where + line
    fine.trail = [*trail, fine.first_observed]
    return fine
