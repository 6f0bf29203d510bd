# SPDX-License-Identifier: Apache-2.0
"""The price of each variable of level `portable` by itself.

For what PyTorch's libraries read: the time of a step of models of `benchmarks/cost` under `warn`
and the one variable, against `warn`. For what NumPy and its OpenBLAS read: the time of NumPy's
functions with the variable, against none. All in turns, in fresh processes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cost.__main__ import MODELS
from benchmarks.cost.pythons import make_interpreters, packages
from benchmarks.portability import price
from harness import machine
from seed_init.hook import portability
from seed_init.proof.cost.choices import CHOICES, Choice

OF_TORCH = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_VML_DEBUG_CPU_TYPE",
    "OMP_WAIT_POLICY",
)
"""Variables that models feel. Numbers of threads are not here: with as many as there are CPUs they
change nothing, and `price` has the level with another number."""

OF_NUMPY = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES")

VALUES = {**portability.wanted({}), portability.WAITING: "PASSIVE"}

SEVERAL = ("resnet", "transformer", "lstm")

FUNCTIONS = Path(__file__).with_name("numpy_functions.py")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.portability.variables", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="measured steps of a process")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(SEVERAL))
    options = parser.parse_args()
    print(machine.description(), flush=True)
    if options.models:
        print_models(options.models, options.rounds, options.steps)
    print_functions(options.rounds)


def print_models(models: list[str], rounds: int, steps: int) -> None:
    """Print a table: variables by models."""
    arms = {name: Choice(name, {"DETERMINISM": "warn", name: VALUES[name]}) for name in OF_TORCH}
    offered = {"off": CHOICES["off"], "warn": CHOICES["warn"], **arms}
    with tempfile.TemporaryDirectory() as place:
        pythons = make_interpreters(Path(place), packages())
        ratios = {model: price.measure(pythons, model, rounds, steps, offered) for model in models}
    print_table(
        f"Time of a step against `warn`, {rounds} rounds in turns",
        {name: [price.told(ratios[model][name]) for model in models] for name in arms},
        models,
    )


def print_functions(rounds: int) -> None:
    """Print a table: variables by NumPy's functions."""
    environment = {
        name: value for name, value in os.environ.items() if name not in portability.NAMES
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in ("", *OF_NUMPY)}
    for _ in range(rounds):
        for name, times in taken.items():
            times.append(seconds({**environment, **({name: VALUES[name]} if name else {})}))
    base = taken.pop("")
    functions = list(base[0])
    ratios = {
        name: [
            [one[function] / other[function] for one, other in zip(times, base, strict=True)]
            for function in functions
        ]
        for name, times in taken.items()
    }
    print_table(
        f"Time of NumPy's functions against no variable, {rounds} rounds in turns",
        {name: [price.told(ratio) for ratio in row] for name, row in ratios.items()},
        functions,
    )


def seconds(environment: Mapping[str, str]) -> dict[str, float]:
    """Start a Python that times NumPy's functions.

    Args:
        environment: of that Python.

    Returns:
        Function to the median time of a call, in seconds.
    """
    command = [sys.executable, str(FUNCTIONS)]
    done = subprocess.run(
        command, env={**environment, "SEED_INIT": "0"}, stdout=subprocess.PIPE, check=True
    )
    times: dict[str, list[float]] = json.loads(done.stdout)
    return {function: statistics.median(taken) for function, taken in times.items()}


def print_table(title: str, rows: Mapping[str, list[str]], columns: list[str]) -> None:
    print(f"\n{title}\n")
    print(f"| variable | {' | '.join(columns)} |")
    print("|---|" + "---|" * len(columns))
    for name, cells in rows.items():
        print(f"| `{name}={VALUES[name]}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
