"""What the levels cost beside their peers, as benchmarks/cost measures it, within minutes.

One process trains all models under one arm, because on a fast GPU the import of torch takes longer
than the training. The arms take turns, in a new order in each round.
"""

import random
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.cost import measuring, ratios, table
from benchmarks.cost.arms import ARMS, BASE, Arm
from benchmarks.cost.running import operators, reason, with_lines
from benchmarks.gpu import judging
from benchmarks.gpu.room import MODELS, PROGRAMS, Room

NAMES = ("off", "warn", "recipe", "off-again", "hf", "lightning")
"""The arms, in the order of value: a first round that is cut off has the most that it can have."""

LEAST = ("off", "warn")
OVER = "the time was over"
MODEL_NAMES = ("resnet", "unet", "transformer", "lstm", "gnn", "embedding_bag", "attention", "ctc")
ROUNDS, WARMUP, STEPS = 5, 8, 25
"""At most, of rounds: as many as the time allows."""

REHEARSED = 1, 1, 2
"""The same where nothing computes: that the programs come to their end is all it can show."""

TIMEOUT = 150.0


def measure(room: Room, reserve: float, models: Sequence[str] = MODEL_NAMES) -> judging.Outcome:
    """Measure rounds until only `reserve` seconds are left.

    Returns:
        The verdict; its `told` holds "cost", in the form of benchmarks/cost, without machine.
    """
    described = {name: describe(ARMS[name]) for name in NAMES}
    arms = [ARMS[name] for name in NAMES if not described[name]["not_run"]]
    programs = {arm.name: program(room, arm) for arm in arms}
    most, warmup, steps = REHEARSED if room.rehearsal else (ROUNDS, WARMUP, STEPS)
    cells: dict[str, dict[str, measuring.Cell]] = {model: {} for model in models}
    threads, rounds = 0, 0
    while rounds < most:
        start = time.monotonic()
        order = random.sample(arms, len(arms)) if rounds else arms
        answers = a_round(room, order, programs, [warmup, steps, *models])
        whole = len(answers) == len(arms)
        if not whole and (rounds or not all(name in answers for name in LEAST)):
            break
        for arm in arms:
            if arm.name not in answers:
                described[arm.name]["not_run"] = OVER
        for name, lines in answers.items():
            for model in models:
                line = lines.get(model, {"error": "fails: no answer"})
                add(cells[model].setdefault(name, measuring.empty()), line)
                threads = line.get("threads", threads)
        rounds += 1
        if not whole or room.left() - reserve < time.monotonic() - start:
            break
    if not rounds:
        return judging.broke(f"{OVER} before off and warn had been measured once", cut=True)
    settings = {"rounds": rounds, "warmup": warmup, "steps": steps, "threads": threads, "seed": 7}
    cost = {
        **{"settings": {**settings, "made_by": "make gpu"}, "arms": described},
        **{"models": cells, "profiles": {}, "startup": {}},
    }
    outcome = judge(cost)
    return judging.Outcome(
        outcome.verdict, outcome.detail, {**outcome.told, "cost": cost}, outcome.broken
    )


def a_round(
    room: Room, arms: Sequence[Arm], programs: Mapping[str, Path], words: Sequence[object]
) -> dict[str, dict[str, Any]]:
    """Train under each arm once; arm -> model -> its line, of the arms that the time sufficed for.

    Args:
        room: where.
        arms: in this order.
        programs: of each.
        words: steps of warm-up, measured steps, names of the models.
    """
    answers = {}
    for arm in arms:
        answer = train(room, arm, programs[arm.name], words)
        if room.left() <= 0:
            break
        answers[arm.name] = answer
    return answers


def judge(cost: dict[str, Any]) -> judging.Outcome:
    """The verdict on what was measured, in the form of benchmarks/cost."""
    means = {}
    for name in cost["arms"]:
        found = table.costs(cost, name) if not cost["arms"][name]["not_run"] else []
        if found and name != BASE:
            means[name] = ratios.geometric_mean(found)
    missing = {name: arm["not_run"] for name, arm in cost["arms"].items() if arm["not_run"]}
    return judging.price(means, missing, len(table.costs(cost, BASE)))


def describe(arm: Arm) -> dict[str, Any]:
    """As benchmarks/cost describes an arm: with the reason why it is not run here."""
    found = None
    reason = None
    if arm.package:
        try:
            found = version(arm.package)
        except PackageNotFoundError:
            reason = f"{arm.package} is not installed"
    return {
        **{"title": arm.title, "group": arm.group, "environment": arm.environment},
        **{"hooked": arm.hooked, "lines": arm.lines, "lines_of_code": arm.lines_of_code()},
        **{"package": arm.package, "version": found, "not_run": reason},
    }


def program(room: Room, arm: Arm) -> Path:
    """A copy of the program, with the lines of the arm at its top."""
    copy = room.folder(f"arm-{arm.name}") / "price.py"
    copy.write_text(with_lines((PROGRAMS / "price.py").read_text(), arm.lines))
    return copy


def train(room: Room, arm: Arm, program: Path, words: Sequence[object]) -> dict[str, Any]:
    """Train all models under an arm, in one process; model -> its line."""
    done = room.program(
        program,
        *(MODELS, "cuda", *words),
        python=room.hooked if arm.hooked else room.bare,
        timeout=TIMEOUT,
        SEED_INIT_LOG="quiet",
        SEED=arm.environment.get("SEED"),
        DETERMINISM=arm.environment.get("DETERMINISM"),
    )
    found = {line["model"]: line for line in done.lines()}
    if not done.well:
        why = done.late or reason(done.err, done.status)
        for model in map(str, words[2:]):
            found.setdefault(model, {"error": why})
    return found


def add(cell: measuring.Cell, line: dict[str, Any]) -> None:
    """Add what a process told of one model; an error stays, and ends the cell."""
    if cell["failed"]:
        return
    if line["error"]:
        named = operators(line["error"])
        cell["failed"] = f"raises: {named[0]}" if named else str(line["error"])
        return
    measuring.add(cell, {**line, "warned": operators("\n".join(line["warnings"]))})
