"""What the levels cost beside their peers, as benchmarks/cost measures it, within minutes.

One process trains all models under one arm, because on a fast GPU the import of torch takes longer
than the training. The arms take turns, in a new order in each round.
"""

import random
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.cost import measuring, ratios, table
from benchmarks.cost.arms import ARMS, BASE, Arm
from benchmarks.cost.running import operators, reason, with_lines
from benchmarks.gpu import judging
from benchmarks.gpu.room import MODELS, PROGRAMS, Room

NAMES = ("off", "off-again", "warn", "recipe", "lightning", "hf")
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
    cells = {model: {arm.name: measuring.empty() for arm in arms} for model in models}
    threads, rounds = 0, 0
    most, warmup, steps = REHEARSED if room.rehearsal else (ROUNDS, WARMUP, STEPS)
    while rounds < most:
        start = time.monotonic()
        answers = {}
        for arm in random.sample(arms, len(arms)):
            answers[arm.name] = train(room, arm, programs[arm.name], models, warmup, steps)
            if room.left() <= 0:
                break
        if len(answers) < len(arms):
            break
        for name, lines in answers.items():
            for model in models:
                add(cells[model][name], lines.get(model, {"error": "fails: no answer"}))
                threads = lines.get(model, {}).get("threads", threads)
        rounds += 1
        if room.left() - reserve < time.monotonic() - start:
            break
    if not rounds:
        return judging.broke("the time was over before each way had been measured once", cut=True)
    settings = {"rounds": rounds, "warmup": warmup, "steps": steps, "threads": threads, "seed": 7}
    cost = {
        **{"settings": {**settings, "made_by": "make gpu"}, "arms": described},
        **{"models": cells, "profiles": {}, "startup": {}},
    }
    outcome = judge(cost)
    return judging.Outcome(
        outcome.verdict, outcome.detail, {**outcome.told, "cost": cost}, outcome.broken
    )


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


def train(
    room: Room, arm: Arm, program: Path, models: Sequence[str], warmup: int, steps: int
) -> dict[str, Any]:
    """Train all models under an arm, in one process; model -> its line."""
    done = room.program(
        program,
        *(MODELS, "cuda", warmup, steps, *models),
        python=room.hooked if arm.hooked else room.bare,
        timeout=TIMEOUT,
        SEED_INIT_LOG="quiet",
        SEED=arm.environment.get("SEED"),
        DETERMINISM=arm.environment.get("DETERMINISM"),
    )
    found = {line["model"]: line for line in done.lines()}
    if not done.well:
        why = done.late or reason(done.err, done.status)
        for model in models:
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
