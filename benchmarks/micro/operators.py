"""Each operator of `cases` under off and under warn, and whether either repeats its bits."""

import argparse
import json
import os
import statistics
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.micro.blocks import Quartiles, in_turns, ratio
from benchmarks.micro.cases import CASES, Case, Work
from benchmarks.micro.levels import describe, level

SLOWER = 1.05
"""A ratio above which the reason is printed."""

REPEATS = 12
"""Runs whose bits are compared."""

LEVELS = {"off": level("off"), "warn": level("warn")}


@dataclass(frozen=True)
class Row:
    """One operator in one size.

    Attributes:
        name: of the case.
        size: "small" or "large".
        threads: of PyTorch.
        off: microseconds a call, median.
        warn: likewise.
        ratio: warn over off, of the blocks of one round.
        least: the shortest block under warn over the shortest under off, which no neighbour has
            disturbed.
        bits: level to how many different results there were in REPEATS runs.
    """

    name: str
    size: str
    threads: int
    off: float
    warn: float
    ratio: Quartiles
    least: float
    bits: dict[str, int]


def main() -> None:
    """Print the table, and for each operator that is slower under warn why and what to do."""
    options = _options()
    warnings.simplefilter("ignore")
    print(describe())
    cases = [case for case in CASES if options.only in case.name]
    rows = []
    for threads in options.threads:
        for size in options.sizes:
            print(f"\n{threads} threads, {size} (median of {options.rounds} pairs of blocks)")
            for case in cases:
                row = measure(case, size, threads, options.rounds, options.block)
                rows.append(row)
                print(_line(row), flush=True)
    print()
    for line in reasons(cases, rows):
        print(line)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def measure(case: Case, size: str, threads: int, rounds: int, block: float) -> Row:
    """Measure one operator under both levels, with inputs that follow from its name."""
    torch.set_num_threads(threads)
    torch.manual_seed(7)
    LEVELS["off"]()
    work = case.make(size == "large")
    times = in_turns(work, LEVELS, rounds, block)
    off, warn = times["off"], times["warn"]
    return Row(
        name=case.name,
        size=size,
        threads=threads,
        off=1e6 * statistics.median(off),
        warn=1e6 * statistics.median(warn),
        ratio=ratio(times, "warn", "off"),
        least=min(warn) / min(off),
        bits={name: different(work, name) for name in LEVELS},
    )


def different(work: Work, name: str) -> int:
    """How many different results REPEATS calls of the work give."""
    LEVELS[name]()
    return len({tuple(_bits(work())) for _ in range(REPEATS)})


def _bits(results: Any) -> Iterator[int]:
    for tensor in results:
        if tensor is not None:
            yield zlib.crc32(tensor.detach().contiguous().numpy())


def is_slower(row: Row) -> bool:
    """Whether warn takes longer by more than the limit, and not for a neighbour's sake."""
    return min(row.ratio.median, row.least) > SLOWER and row.ratio.low > 1.0


def is_faster(row: Row) -> bool:
    """The same for off."""
    return max(row.ratio.median, row.least) < 1 / SLOWER and row.ratio.high < 1.0


def _line(row: Row) -> str:
    bits = row.bits
    said = "" if set(bits.values()) == {1} else f"   bits: off {bits['off']}, warn {bits['warn']}"
    mark = "slower" if is_slower(row) else "faster" if is_faster(row) else ""
    return (
        f"  {row.name:<42} {row.off:10.1f} us {row.warn:10.1f} us   ratio {row.ratio.median:.3f}"
        f" ({row.ratio.low:.3f}..{row.ratio.high:.3f}), least {row.least:.3f} {mark:<6}{said}"
    ).rstrip()


def reasons(cases: list[Case], rows: list[Row]) -> Iterator[str]:
    """Lines about the operators that take another time under warn, or vary from run to run."""
    for case in cases:
        own = [row for row in rows if row.name == case.name]
        for word, found in (("slower", is_slower), ("faster", is_faster)):
            where = ", ".join(f"{row.size} with {row.threads} threads" for row in own if found(row))
            if where:
                yield f"{case.name}: {word} under warn ({where}): {case.why or 'no reason known'}"
        for row in own:
            if row.bits["off"] > 1:
                yield (
                    f"{case.name}: off gave {row.bits['off']} different results in {REPEATS} runs "
                    f"({row.size} with {row.threads} threads), warn {row.bits['warn']}"
                )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31, help="pairs of blocks a row")
    parser.add_argument("--block", type=float, default=0.004, help="seconds a block, about")
    parser.add_argument("--only", default="", help="a part of the names to measure")
    parser.add_argument("--json", default="", help="a file for the rows")
    parser.add_argument(
        "--sizes", nargs="+", choices=("small", "large"), default=["small", "large"]
    )
    threads = sorted({1, min(os.cpu_count() or 1, 2), os.cpu_count() or 1})
    parser.add_argument("--threads", nargs="+", type=int, default=threads)
    return parser.parse_args()


if __name__ == "__main__":
    main()
