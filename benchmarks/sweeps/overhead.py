# SPDX-License-Identifier: Apache-2.0
"""What `seed-init sweep` costs over a shell loop, and what a sweep of 1,000 seeds needs.

Targets: at most 2 % and 0.3 s a run; 300 MB for 1,000 seeds of a trivial program.

    python -m benchmarks.sweeps.overhead
"""

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness import interpreters, machine

RUNS = 5
ROUNDS = 5
MANY = 1000

PROGRAM = """
import random, sys, time

until = time.process_time() + float(sys.argv[1])
value = random.random()
while time.process_time() < until:
    value = (value * 1.1) % 1
print("value", value)
"""

TRAINING = """
import sys, torch

model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(int(sys.argv[1])):
    batch = torch.rand(128, 64)
    loss = ((model(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("value", loss.item())
"""


class Program(NamedTuple):
    """What a run of the table does.

    Attributes:
        name: in the table.
        words: what `python` is given: a file, and how much the program is to do.
    """

    name: str
    words: tuple[str, str]


TRIVIAL = Program("0 s of CPU time", ("busy.py", "0"))
PROGRAMS = (
    TRIVIAL,
    Program("1 s of CPU time", ("busy.py", "1")),
    Program("500 steps of a training", ("train.py", "500")),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps.overhead")
    parser.add_argument("--many", type=int, default=MANY, metavar="N", help="seeds of the largest")
    options = parser.parse_args()
    print(machine.description())
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        python = interpreters.copy_base(place / "prefix")
        interpreters.see_packages(python)
        interpreters.install_hook(python)
        (place / "busy.py").write_text(PROGRAM)
        (place / "train.py").write_text(TRAINING)
        bench = Bench(place, python)
        print(f"\na run, median of {ROUNDS} rounds of {RUNS} runs, in turn\n")
        print("| program | measured | shell loop | sweep | more | without records |")
        print("|---|---|---|---|---|---|")
        for program in PROGRAMS:
            print(*bench.rows(program), sep="\n", flush=True)
        print()
        print(bench.many(options.many))
    return 0


class Spent(NamedTuple):
    """What some runs took, in seconds.

    Attributes:
        wall: by the clock, which other programs on the machine make longer.
        CPU: of all processes together.
    """

    wall: float
    CPU: float


class Bench:
    """Runs sweeps and shell loops of the same program in one directory."""

    def __init__(self, place: Path, python: Path) -> None:
        self._place = place
        self._python = python
        self._environment = interpreters.environment(python)
        self._number = 0

    def rows(self, program: Program) -> Iterator[str]:
        """Yield rows of the table: what each way of running takes."""
        ways: Mapping[str, Callable[[], Spent]] = {
            "loop": lambda: self._loop(program),
            "sweep": lambda: self._sweep(program),
            "without": lambda: self._sweep(program, "--no-records"),
        }
        spent: dict[str, list[Spent]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                spent[name].append(way())
        for measured in Spent._fields:
            loop, sweep, without = (
                statistics.median(getattr(each, measured) / RUNS for each in of_way)
                for of_way in spent.values()
            )
            more = sweep - loop
            yield (
                f"| {program.name} | {measured} time | {loop:.3f} s | {sweep:.3f} s | "
                f"{more:.3f} s, {100 * more / loop:.0f} % | {without:.3f} s |"
            )

    def _loop(self, program: Program) -> Spent:
        command = shlex.join([str(self._python), *program.words])
        script = f"for seed in $(seq 0 {RUNS - 1}); do SEED=$seed {command} > log-$seed; done"
        return self._timed("sh", "-c", script)

    def _sweep(self, program: Program, *options: str) -> Spent:
        return self._timed(*self._words(program, RUNS, *options))

    def _words(self, program: Program, seeds: int, *options: str) -> list[str]:
        self._number += 1
        words = ["-m", "seed_init", "sweep", "--seeds", str(seeds), "--no-repeat"]
        words += ["--to", f"sweep-{self._number}", "--metric", "value (.*)", *options, "--"]
        return [str(self._python), *words, str(self._python), *program.words]

    def _timed(self, *words: str) -> Spent:
        began, before = time.perf_counter(), _cpu_of_children()
        subprocess.run(
            words,
            cwd=self._place,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return Spent(time.perf_counter() - began, _cpu_of_children() - before)

    def many(self, seeds: int) -> str:
        """Return what a sweep of many seeds needs, and what its table and its file are."""
        began = time.perf_counter()
        process = subprocess.Popen(
            self._words(TRIVIAL, seeds),
            cwd=self._place,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(0.05)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        file = self._place / f"sweep-{self._number}" / "sweep.json"
        mean = (time.perf_counter() - began) / seeds
        return (
            f"{seeds:,} seeds of a trivial program: {mean:.3f} s a run, "
            f"{peak / 2**20:.0f} MiB at most, {len(lines)} lines on the terminal, "
            f"{file.stat().st_size / 2**20:.1f} MiB of sweep.json"
        )


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak(pid: int) -> int:
    """Return the largest resident size of a process so far, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = dict(line.partition(":")[::2] for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) * 1024


if __name__ == "__main__":
    os.environ.pop("SEED", None)
    raise SystemExit(main())
