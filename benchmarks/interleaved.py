"""Measure commands against each other."""

import os
import random
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Arm:
    """One command to measure.

    Attributes:
        command: program path and arguments.
        environment: its whole environment.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


def cpu_seconds(arm: Arm) -> float:
    """User and system CPU time of one run.

    Raises:
        RuntimeError: the command failed.
    """
    return seconds(arm)[0]


def seconds(arm: Arm) -> tuple[float, float]:
    """User and system CPU time of one run, and the time it took by the clock.

    Raises:
        RuntimeError: the command failed.
    """
    with Path(os.devnull).open("w") as devnull:
        redirect = [(os.POSIX_SPAWN_DUP2, devnull.fileno(), fd) for fd in (1, 2)]
        start = time.perf_counter()
        pid = os.posix_spawn(
            arm.command[0], list(arm.command), dict(arm.environment), file_actions=redirect
        )
        _, status, usage = os.wait4(pid, 0)
        passed = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{' '.join(arm.command)} ended with status {status}")
    return usage.ru_utime + usage.ru_stime, passed


def measure(arms: Mapping[str, Arm], rounds: int) -> dict[str, list[float]]:
    """Run every arm once a round, in random order, after one round that does not count.

    Args:
        arms: name to command.
        rounds: how often each is run.

    Returns:
        Name to its CPU times in seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in arms}
    order: list[Any] = list(arms)
    for number in range(rounds + 1):
        random.shuffle(order)
        for name in order:
            seconds = cpu_seconds(arms[name])
            if number:
                times[name].append(seconds)
    return times


def report(title: str, times: Mapping[str, list[float]]) -> None:
    """Print median, spread and ratio to the first arm."""
    rounds = len(next(iter(times.values())))
    print(f"{title} (CPU time, median of {rounds} interleaved runs)")
    base = 0.0
    for name, values in times.items():
        median = statistics.median(values)
        base = base or median
        low, _, high = statistics.quantiles(values, n=4)
        print(
            f"  {name:<28} {median * 1e3:9.3f} ms   quartiles {low * 1e3:.3f}..{high * 1e3:.3f}"
            f"   ratio {median / base:.3f}"
        )
