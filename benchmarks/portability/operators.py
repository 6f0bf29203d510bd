# SPDX-License-Identifier: Apache-2.0
"""The price of the operators that level `portable` computes by other steps.

Both arms have the level's variables and MKL's AVX2 branch; one has the hook, and with the hook the
other steps. Fresh processes in turns, one thread.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.cost.pythons import make_interpreters, packages
from harness import machine
from seed_init.hook import portability
from seed_init.hook.settings import THREADS

PROGRAM = Path(__file__).with_name("operator_times.py")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.portability.operators", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(machine.description(), flush=True)
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        pythons = make_interpreters(Path(place), packages())
        hooked = pythons.environment(pythons.hooked)
        python = str(pythons.hooked)
        arms = [
            {**hooked, "DETERMINISM": "portable", THREADS: "1"},
            {**hooked, "SEED_INIT": "0", **portability.wanted({THREADS: "1"})},
        ]
        for _ in range(rounds):
            level, plain = (seconds(python, arm) for arm in arms)
            for name, time in level.items():
                ratios.setdefault(name, []).append(time / plain[name])
    print(f"\nTime of a call under the level against the same without its steps, {rounds} rounds\n")
    print("| operator | median (least–most) |")
    print("|---|---|")
    for name, found in ratios.items():
        spread = f"{min(found):.2f}–{max(found):.2f}"
        print(f"| {name} | {statistics.median(found):.2f} ({spread}) |")


def seconds(python: str, environment: dict[str, str]) -> dict[str, float]:
    """Time the operators in a fresh Python: name to the median time of a call, in seconds."""
    command = [python, str(PROGRAM)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return {name: statistics.median(times) for name, times in json.loads(done.stdout).items()}


if __name__ == "__main__":
    main()
