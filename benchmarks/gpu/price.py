"""What the levels cost beside their peers, as benchmarks/cost measures it, within minutes.

One process trains all models under one arm, because on a fast GPU the import of torch takes longer
than the training. The arms take turns, in a new order in each round.
"""

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.cost import arms as ways
from benchmarks.cost import table
from benchmarks.cost.arms import BASE, Arm
from benchmarks.cost.pythons import with_lines
from benchmarks.gpu import alerts, judging
from benchmarks.gpu.room import MODELS, PROGRAMS, Room
from seed_init.proof.cost.judging import judge as figures
from seed_init.proof.cost.measuring import Measured, Measurements, Request, Sample

AGAIN = replace(ways.ARMS[BASE], name="off-again", title="`off` again")
"""How far the same thing is from itself: an arm of its own, since it may not be reached."""

ARMS = {
    arm.name: arm
    for arm in (
        *(ways.ARMS[name] for name in ("off", "warn", "recipe")),
        AGAIN,
        *(ways.ARMS[name] for name in ("hf", "lightning")),
    )
}
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
    described = {name: describe(arm) for name, arm in ARMS.items()}
    arms = [arm for arm in ARMS.values() if not described[arm.name]["not_run"]]
    programs = {arm.name: program(room, arm) for arm in arms}
    most, warmup, steps = REHEARSED if room.rehearsal else (ROUNDS, WARMUP, STEPS)
    measured: dict[str, dict[str, Measured]] = {model: {} for model in models}
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
                line = lines.get(model, {"error": "no answer"})
                cell = measured[model].setdefault(name, Measured(ARMS[name].choice))
                add(cell, rounds, warmup, line)
                threads = line.get("threads", threads)
        rounds += 1
        if not whole or room.left() - reserve < time.monotonic() - start:
            break
    if not rounds:
        return judging.broke(f"{OVER} before off and warn had been measured once", cut=True)
    cost = result(described, measured, (rounds, warmup, steps), threads)
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


def result(
    described: dict[str, Any],
    measured: Mapping[str, dict[str, Measured]],
    settings: tuple[int, int, int],
    threads: int,
) -> dict[str, Any]:
    """What was measured, in the form of benchmarks/cost, without the machine.

    Args:
        described: name to what is said of an arm.
        measured: model to name to samples.
        settings: rounds, steps of warm-up, measured steps.
        threads: of the CPU.
    """
    rounds, warmup, steps = settings
    request = Request(("price.py",), steps, warmup, rounds)
    return {
        "settings": {
            **{"rounds": rounds, "warmup": warmup, "steps": steps, "threads": threads, "seed": 7},
            **{"made_by": "make gpu", "bits": "parameters, buffers and the losses"},
        },
        "arms": described,
        "models": {
            model: figures(Measurements(request, ways.SEED, measured=arms)).to_json()
            for model, arms in measured.items()
        },
        "startup": {},
    }


def judge(cost: dict[str, Any]) -> judging.Outcome:
    """The verdict on what was measured, in the form of benchmarks/cost."""
    means = {}
    for name in cost["arms"]:
        found = table.costs(cost, name) if not cost["arms"][name]["not_run"] else []
        if found and name != BASE:
            means[name] = statistics.geometric_mean(found)
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
    return arm.to_json(found, reason)


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
        SEED=arm.environment["SEED"] if arm.hooked else None,
        DETERMINISM=arm.environment["DETERMINISM"] if arm.hooked else None,
    )
    found = {line["model"]: line for line in done.lines()}
    if not done.well:
        why = done.late or alerts.last_line(done.err, done.status)
        for model in map(str, words[2:]):
            found.setdefault(model, {"error": why, "raised": alerts.raised(done.err)})
    return found


def add(arm: Measured, number: int, warmup: int, line: Mapping[str, Any]) -> None:
    """Add what a process told of one model.

    Args:
        arm: gets a sample; none where an earlier round has failed.
        number: of the round, from 0.
        warmup: steps of warm-up.
        line: as programs/price.py prints it.
    """
    if any(each.failed for each in arm.samples):
        return
    error = line["error"]
    seconds = tuple(each / 1e3 for each in line.get("step_ms", ()))
    raised = error and (line.get("raised") or next(iter(alerts.operators(error)), None))
    arm.samples.append(
        Sample(
            round=number,
            seconds=seconds,
            calls=warmup + len(seconds) if seconds else 0,
            whole=sum(seconds),
            memory=line.get("peak_bytes", {}),
            digest=line.get("digest"),
            clock="cuda",
            flags=line.get("flags", {}),
            failed=error,
            raised=raised or None,
        )
    )
