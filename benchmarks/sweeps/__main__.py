# SPDX-License-Identifier: Apache-2.0
"""Print how often the statistics of a sweep are right where the truth is known."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benchmarks.sweeps import draws, simulation
from harness import machine
from seed_init.proof.statistics import paired, power
from seed_init.proof.statistics.distributions import bisected, rejected_by_t
from seed_init.proof.statistics.summary import summary

FEW = (3, 5, 6, 8, 10, 20, 50)
SEED = 18


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument(
        "--sweeps", type=int, default=4_000, metavar="N", help="a cell of a table (4000)"
    )
    options = parser.parse_args()
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"{name!r} is none of {', '.join(PARTS)}")
    print(f"{machine.description()}, numpy {np.__version__}; {options.sweeps} sweeps a cell")
    try:
        for name in options.parts:
            print()
            for line in PARTS[name](options.sweeps):
                print(line, flush=True)
    except KeyboardInterrupt:
        print("benchmarks.sweeps: interrupted", file=sys.stderr)
        return 130
    return 0


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def head(*cells: str) -> Iterator[str]:
    yield row(*cells)
    yield row(*("---" for _ in cells))


def intervals(sweeps: int) -> Iterator[str]:
    """How often the 95 % interval contains the true mean."""
    yield from head("interval of the mean", *(f"{count} runs" for count in FEW))
    for draw in draws.ALL:
        cells = [simulation.covered(draw, count, sweeps, SEED) for count in FEW]
        for kind, name in KINDS.items():
            yield row(f"{draw.name}: {name}", *(percent(cell[kind]) for cell in cells))


KINDS = {
    "printed": "as printed",
    "expanded": "BCa, expanded",
    "plain": "BCa, plain",
    "t": "Student's t",
}


def levels(sweeps: int) -> Iterator[str]:
    """How often the test finds a difference where there is none."""
    counts = (5, 6, 8, 10, 15, 20)
    yield from head("p at most 0.05, no difference", *(f"{count} pairs" for count in counts))
    for draw in draws.ALL:
        cells = (simulation.level_kept(draw, count, sweeps, SEED) for count in counts)
        yield row(draw.name, *map(percent, cells))


def levels_drawn(sweeps: int) -> Iterator[str]:
    """Likewise, where the flips are drawn; a quarter of the sweeps, because each takes long."""
    yield from head("the same, flips drawn", "25 pairs")
    for draw in draws.ALL:
        yield row(draw.name, percent(simulation.level_kept(draw, 25, sweeps // 4, SEED)))


def powers(sweeps: int) -> Iterator[str]:
    """How often the smallest effect that can be shown is shown."""
    yield from head("pairs", "smallest effect, in sd", "found", "a t test finds")
    for pairs in (6, 7, 8, 9, 10, 12, 15, 20):
        effect = power.smallest_effect(pairs)
        assert effect is not None
        found = simulation.found_at(effect, pairs, sweeps, SEED)
        by_t = rejected_by_t(effect, pairs, power.LEVEL)
        yield row(pairs, f"{effect:.3f}", percent(found), percent(by_t))


def bounds(sweeps: int) -> Iterator[str]:
    """How often the bound of the noise holds."""
    counts = (3, 5, 10, 50)
    yield from head("true share of noise", *(f"{count} seeds" for count in counts))
    for share in (0.05, 0.3, 0.7, 0.95):
        cells = (simulation.bound_holds(share, count, sweeps, SEED) for count in counts)
        yield row(percent(share), *map(percent, cells))


def effects(sweeps: int) -> Iterator[str]:
    """The table BY_FLIPS."""
    yield from head("pairs", "by the sign-flip test", "by the t test")
    for pairs in range(power.FEWEST, 14):
        by_t = _by_t(pairs)
        own = simulation.smallest_effect(pairs, 10 * sweeps, SEED)
        yield row(pairs, f"{own:.3f}", f"{by_t:.3f}")


def _by_t(pairs: int) -> float:
    """The effect that a t test finds by `POWER`."""
    return bisected(lambda effect: rejected_by_t(effect, pairs, 0.05) < power.POWER, 0.0, 8.0)


def speed(_: int) -> Iterator[str]:
    """The CPU time of the statistics of a sweep: of the first call, and the shortest of three.

    The first call for a number of seeds draws the places of the resamples, which later ones share.
    """
    yield from head("seeds", "one arm, first call", "one arm", "two arms, paired")
    generator = np.random.default_rng(SEED)
    for count in (10, 20, 100, 1_000):
        one, other = (dict(enumerate(generator.standard_normal(count).tolist())) for _ in "ab")
        first = _taken(partial(summary, one))
        calls = (partial(summary, one), partial(paired.difference, one, other))
        times = [first, *(min(_taken(call) for _ in range(3)) for call in calls)]
        yield row(f"{count:,}", *(f"{1e3 * seconds:,.0f} ms" for seconds in times))


def _taken(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


PARTS = {
    "intervals": intervals,
    "levels": levels,
    "levels-drawn": levels_drawn,
    "powers": powers,
    "bounds": bounds,
    "effects": effects,
    "speed": speed,
}


if __name__ == "__main__":
    sys.exit(main())
