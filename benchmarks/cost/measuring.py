"""Measure the arms against each other, in rounds and in random order."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import interleaved
from benchmarks.cost import ratios
from benchmarks.cost.arms import ARMS, BASE, Arm
from benchmarks.cost.running import Failed, Interpreters, execute, train

WORTH_A_PROFILE = 1.03
"""Where `warn` costs more than this, the operators that cost it are looked for."""
PROFILED_STEPS = 20

Cell = dict[str, Any]
"""One model under one arm, over all rounds: step_ms (the median of each), peak_bytes, digests,
warned, flags, and failed: the reason, or None."""

Say = Callable[[str], None]


def measure(
    pythons: Interpreters,
    arms: Sequence[Arm],
    model: str,
    rounds: int,
    options: Sequence[str],
    say: Say,
) -> dict[str, Cell]:
    """Train a model under every arm once a round, each in a fresh process.

    Args:
        pythons: the interpreters.
        arms: the arms.
        model: its name.
        rounds: how often.
        options: of train.py.
        say: told what was measured.

    Returns:
        Name of arm to cell. An arm that fails is not run again for this model.
    """
    cells: dict[str, Cell] = {arm.name: empty() for arm in arms}
    for number in range(1, rounds + 1):
        for arm in random.sample(list(arms), len(arms)):
            cell = cells[arm.name]
            if cell["failed"]:
                continue
            try:
                add(cell, train(pythons, arm, model, *options))
                told = f"{cell['step_ms'][-1]:.2f} ms a step"
            except Failed as failure:
                cell["failed"] = told = str(failure)
            say(f"{model}, round {number} of {rounds}, {arm.name}: {told}")
    return cells


def empty() -> Cell:
    return {
        **{"step_ms": [], "peak_bytes": [], "digests": []},
        **{"warned": [], "flags": None, "failed": None},
    }


def add(cell: Cell, answer: dict[str, Any]) -> None:
    """Add what one process printed."""
    cell["step_ms"].append(round(ratios.median(answer["step_ms"]), 5))
    cell["peak_bytes"].append(answer["peak_bytes"])
    cell["digests"].append(answer["digest"])
    cell["warned"] = sorted({*cell["warned"], *answer["warned"]})
    cell["flags"] = answer["flags"]


def profile(
    pythons: Interpreters, cells: dict[str, Cell], model: str, options: Sequence[str], say: Say
) -> dict[str, Any] | None:
    """The costliest operators under `off` and under `warn`, where `warn` costs more than a little.

    Returns:
        "off" and "warn", each a list of names and milliseconds a step; None where it is cheap.
    """
    if any(cells.get(name, {"failed": "not run"})["failed"] for name in (BASE, "warn")):
        return None
    costs = ratios.ratio(cells["warn"]["step_ms"], cells[BASE]["step_ms"]).median
    if costs <= WORTH_A_PROFILE:
        return None
    say(f"{model}: `warn` costs {costs:.3f}; looking for the operators")
    found = {}
    for name in (BASE, "warn"):
        arguments = [*options, "--steps", str(PROFILED_STEPS), "--profile"]
        try:
            found[name] = train(pythons, ARMS[name], model, *arguments)["operators"]
        except Failed as failure:
            say(f"{model}: no profile: {failure}")
            return None
    return found


def startup(
    pythons: Interpreters, arms: Sequence[Arm], rounds: int, say: Say
) -> dict[str, dict[str, Any]]:
    """Time a process that imports torch, with and without each arm's way to seed.

    Args:
        pythons: the interpreters.
        arms: those with lines; `none` and `warn` are always measured.
        rounds: how often, after one round that does not count.
        say: told what is measured.

    Returns:
        Name of arm to cpu_s and wall_s, seconds of each round, or to failed, the reason.
    """
    say(f"start-up: {rounds} rounds of `import torch`")
    chosen = {arm.name: arm for arm in (ARMS["none"], ARMS["warn"], *arms)}
    found: dict[str, dict[str, Any]] = {}
    commands: dict[str, interleaved.Arm] = {}
    for name, arm in chosen.items():
        code = f"import torch\n{arm.lines}"
        try:
            execute(pythons, arm, ["-c", code])
        except Failed as failure:
            found[name] = {"failed": str(failure)}
            continue
        found[name] = {"cpu_s": [], "wall_s": []}
        command = (str(pythons.of(arm)), "-c", code)
        commands[name] = interleaved.Arm(command, pythons.environment(arm))
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            busy, passed = interleaved.seconds(commands[name])
            found[name]["cpu_s"].append(round(busy, 4))
            found[name]["wall_s"].append(round(passed, 4))
    return found
