"""Measure the arms against each other: the steps of a model, and the start of a process."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import interleaved
from benchmarks.cost.arms import ARMS, SEED, Arm
from benchmarks.cost.pythons import TIMEOUT, Failed, Interpreters, execute
from seed_init.proof.cost import judging
from seed_init.proof.cost.choices import Choice
from seed_init.proof.cost.measuring import CannotMeasure, Measurer, Request

Say = Callable[[str], None]


class Models(Measurer):
    """Measures a model with every arm. Each arm has a copy of the program, with its lines.

    Args:
        pythons: the interpreters.
        request: what to measure. Its command begins with `python3 train.py`.
        say: told what is being run.
    """

    def __init__(self, pythons: Interpreters, request: Request, say: Say) -> None:
        self.pythons = pythons
        self.said = ""
        choices = {arm.name: arm.choice for arm in ARMS.values()}
        super().__init__(request, lambda told: self.tell(told, say), choices)

    def command(self, choice: Choice) -> tuple[str, ...]:
        """The program of the arm, with the same options for all."""
        python, _, *options = self.request.command
        return (python, self.pythons.program(ARMS[choice.name]), *options)

    def tell(self, told: str, say: Say) -> None:
        """Say what is run, once, without the seconds that it has taken so far."""
        run = told.rpartition(",")[0]
        if run != self.said:
            self.said = run
            say(f"{self.request.command[2]}: {run}")


def measure(
    pythons: Interpreters,
    arms: Sequence[Arm],
    words: Sequence[str],
    steps: tuple[int, int],
    rounds: int,
    say: Say,
) -> dict[str, Any]:
    """Train a model under every arm once a round, and twice under `off`, in fresh processes.

    Args:
        pythons: the interpreters.
        arms: the arms.
        words: name of the model, and options of train.py.
        steps: of warm-up, and measured.
        rounds: how often.
        say: told what is being run.

    Returns:
        What `seed-init cost --json` prints of a program, or {"failed": why} where nothing can be
        measured.
    """
    warmup, measured = steps
    request = Request(
        # The process ends with its last measured step.
        command=("python3", "train.py", *words, "--steps", str(warmup + measured)),
        steps=measured,
        warmup=warmup,
        repeats=rounds,
        choices=tuple(arm.name for arm in arms),
        timeout=TIMEOUT,
        environment={**pythons.environment(pythons.hooked), "SEED": SEED},
        cwd=pythons.scratch,
    )
    try:
        with Models(pythons, request, say) as models:
            return judging.measure(models).to_json()
    except CannotMeasure as error:
        say(f"{words[0]}: {error}")
        return {"failed": str(error)}


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
        python = pythons.hooked if arm.hooked else pythons.bare
        try:
            execute(pythons, code)
        except Failed as failure:
            found[name] = {"failed": str(failure)}
            continue
        found[name] = {"cpu_s": [], "wall_s": []}
        environment = pythons.environment(python) | (arm.environment if arm.hooked else {})
        commands[name] = interleaved.Arm((str(python), "-c", code), environment)
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            busy, passed = interleaved.seconds(commands[name])
            found[name]["cpu_s"].append(round(busy, 4))
            found[name]["wall_s"].append(round(passed, 4))
    return found
