"""Measure one piece of work under several settings, in turns, in one process.

Short blocks in random order meet the same memory, the same neighbours and the same clock, so that
their ratio holds on a busy machine too, where the times themselves do not.
"""

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Times = dict[str, list[float]]


@dataclass(frozen=True)
class Quartiles:
    """Median and quartiles of a number of values."""

    low: float
    median: float
    high: float


def quartiles(values: list[float]) -> Quartiles:
    """The quartiles of at least two values."""
    return Quartiles(*statistics.quantiles(values, n=4, method="inclusive"))


def in_turns(
    work: Callable[[], object],
    settings: Mapping[str, Callable[[], object]],
    rounds: int,
    block: float,
) -> Times:
    """Run a block of calls under every setting once a round, after a round that does not count.

    Args:
        work: what is measured.
        settings: name to a function that puts the setting into effect; it is not measured.
        rounds: how many count.
        block: seconds that a block takes under the slowest setting, about; it is one call where
            that takes longer.

    Returns:
        Name to seconds a call, one for each round.
    """
    names = list(settings)
    # The same number for all, so that none is measured more coarsely; that of the slowest.
    calls = min(_calls_within(work, put, block) for put in settings.values())
    times: Times = {name: [] for name in names}
    for number in range(rounds + 1):
        random.shuffle(names)
        for name in names:
            settings[name]()
            seconds = _block(work, calls)
            if number:
                times[name].append(seconds)
    return times


def ratio(times: Times, name: str, base: str) -> Quartiles:
    """How much longer one setting takes than another, from the ratio in each round."""
    return quartiles([one / other for one, other in zip(times[name], times[base])])


def difference(times: Times, name: str, base: str) -> Quartiles:
    """Seconds a call that one setting takes more than another, from that in each round."""
    return quartiles([one - other for one, other in zip(times[name], times[base])])


def _calls_within(work: Callable[[], object], put: Callable[[], object], seconds: float) -> int:
    put()
    work()  # what only a first call does
    calls = 1
    while (took := _block(work, calls) * calls) < seconds / 2:
        calls *= 2
    return max(calls, round(calls * seconds / took))


def _block(work: Callable[[], object], calls: int) -> float:
    """Seconds a call, without garbage collections, as `timeit` does it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        return (time.perf_counter() - start) / calls
    finally:
        if was_on:
            gc.enable()
