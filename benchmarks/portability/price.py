# SPDX-License-Identifier: Apache-2.0
"""The price of level `portable`: the step time of each model of `benchmarks/cost`, against `warn`.

The arms run in turns, in fresh processes, as `seed-init cost` runs them. On a CPU with AVX-512 one
more arm imitates a CPU that has AVX2 and no more: `warn` with the switches of PyTorch, oneDNN and
MKL at AVX2.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cost.__main__ import MODELS
from benchmarks.cost.pythons import Interpreters, make_interpreters, packages
from harness import machine
from seed_init.proof.cost.choices import CHOICES, Choice
from seed_init.proof.cost.measuring import Measurer, Request

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}

ARMS = {
    "off": CHOICES["off"],
    "warn": CHOICES["warn"],
    "warn, AVX2": Choice("warn, AVX2", {"DETERMINISM": "warn", **AVX2}),
    "portable": CHOICES["portable"],
    "portable, 4 threads": Choice(
        "portable, 4 threads", {"DETERMINISM": "portable", "SEED_INIT_THREADS": "4"}
    ),
}
"""Name -> what an arm sets. The first is what the runner compares with, and is not shown."""

SHOWN = tuple(name for name in ARMS if name not in ("off", "warn"))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.portability.price", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="measured steps of a process")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    print(machine.description(), flush=True)
    print(f"\nTime of a step against `warn`, {options.rounds} rounds in turns\n")
    print(f"| model | {' | '.join(f'`{name}`' for name in SHOWN)} |")
    print("|---|" + "---|" * len(SHOWN), flush=True)
    ratios: dict[str, list[float]] = {name: [] for name in SHOWN}
    with tempfile.TemporaryDirectory() as place:
        pythons = make_interpreters(Path(place), packages())
        for model in options.models:
            found = measure(pythons, model, options.rounds, options.steps, ARMS)
            for name in SHOWN:
                if found[name]:
                    ratios[name].append(statistics.median(found[name]))
            print(f"| {model} | {' | '.join(told(found[name]) for name in SHOWN)} |", flush=True)
    means = (f"**{statistics.geometric_mean(ratios[name]):.2f}**" for name in SHOWN)
    print(f"| geometric mean | {' | '.join(means)} |")


def measure(
    pythons: Interpreters, model: str, rounds: int, steps: int, arms: Mapping[str, Choice]
) -> dict[str, list[float]]:
    """Train a model under every arm.

    Args:
        pythons: the interpreters.
        model: its name.
        rounds: how often.
        steps: timed ones of a process.
        arms: name to what an arm sets; "warn" is among them.

    Returns:
        Name of arm to the ratio of each round: the median of its steps over that of `warn`.
    """
    environment = {**pythons.environment(pythons.hooked), "SEED": "7"}
    train = Path(__file__).parent.parent / "cost/train.py"
    request = Request(
        command=("python3", str(train), model, "--device", "cpu", "--steps", str(5 + steps)),
        steps=steps,
        warmup=5,
        repeats=rounds,
        choices=tuple(arms),
        environment=environment,
        cwd=pythons.scratch,
    )
    with Measurer(request, offered=arms) as measurer:
        measured = measurer.measure().measured
    medians = {
        name: {s.round: statistics.median(s.seconds) for s in arm.samples if s.seconds}
        for name, arm in measured.items()
    }
    warn = medians["warn"]
    return {
        name: [time / warn[number] for number, time in medians[name].items() if number in warn]
        for name in arms
    }


def told(ratios: list[float]) -> str:
    """The median and the spread, as a table shows them; "fails" where no run gave a time."""
    if not ratios:
        return "fails"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


if __name__ == "__main__":
    main()
