"""One call of an operator for which PyTorch warns, under off and under warn.

On the CPU these are put_ without accumulate and max_unpool (aten/src/ATen/Context.cpp,
alertNotDeterministic, and its callers). The operands are tiny: what is left is the warning.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from benchmarks.micro.blocks import Quartiles, difference, in_turns
from benchmarks.micro.levels import describe, level

LEVELS = {"off": level("off"), "warn": level("warn")}

STEP = 20e-3
"""Seconds of the training step to which the cost is related."""

ALERTS = 10
"""Warnings in such a step, counted generously."""

LINES = 1000
"""Lines of the long function."""

TEXTS = 20
"""Filters that have to be asked first."""


@dataclass(frozen=True)
class Row:
    """The cost of one call.

    Attributes:
        operator: what is called.
        situation: what the warnings meet.
        off: microseconds a call, median.
        warn: likewise.
        more: microseconds that warn adds, of blocks of the same round.
    """

    operator: str
    situation: str
    off: float
    warn: float
    more: Quartiles


def put() -> Callable[[], object]:
    """put_ of two elements."""
    table, index, values = torch.zeros(4), torch.tensor([0, 1]), torch.ones(2)
    return lambda: table.put_(index, values)


def unpool() -> Callable[[], object]:
    """max_unpool2d of four elements, whose warning is at a line of torch/nn/functional.py."""
    pooled, index = torch.randn(1, 1, 2, 2), torch.tensor([[[[0, 3], [8, 10]]]])
    return lambda: functional.max_unpool2d(pooled, index, 2)


def backward() -> Callable[[], object]:
    """The backward of put, in which autograd keeps the warning and gives it at the end."""
    leaf, gradient = torch.ones(4, requires_grad=True), torch.ones(4)
    out = leaf.clone().put(torch.tensor([0, 1]), torch.ones(2))
    return lambda: torch.autograd.grad(out, leaf, gradient, retain_graph=True)


def lines() -> Callable[[], object]:
    """put_ on each line of a long function: each is a place of its own."""
    body = "\n".join("    put(index, values)" for _ in range(LINES))
    namespace: dict[str, Any] = {}
    exec(compile(f"def long(put, index, values):\n{body}\n", "<long>", "exec"), namespace)
    table, index, values = torch.zeros(4), torch.tensor([0, 1]), torch.ones(2)
    long = namespace["long"]
    return lambda: long(table.put_, index, values)


def last() -> Callable[[], object]:
    """put_ after so many lines of its function, which are not run.

    Python finds the number of a line by going through the function's lines up to it.
    """
    body = "\n".join(["    if not index:", *["        index = values"] * LINES])
    namespace: dict[str, Any] = {}
    source = f"def long(put, index, values):\n{body}\n    put(*index, values)\n"
    exec(compile(source, "<long>", "exec"), namespace)
    table, index, values = torch.zeros(4), torch.tensor([0, 1]), torch.ones(2)
    long = namespace["long"]
    return lambda: long(table.put_, (index,), values)


def forgetting() -> Callable[[], object]:
    """put_ after a change of the filters, as by a library: Python forgets what it has shown."""
    work = put()

    def forget() -> object:
        with warnings.catch_warnings():
            pass
        return work()

    return forget


@contextlib.contextmanager
def filters(*actions: Any, pattern: str = "") -> Iterator[None]:
    """Filters put in front of Python's and torch's own.

    Args:
        actions: at most one, for every warning.
        pattern: in front of it so many filters as TEXTS says, with this in front of texts that
            other warnings have.
    """
    with warnings.catch_warnings():
        for action in actions:
            warnings.simplefilter(action)
        for number in range(TEXTS if pattern else 0):
            warnings.filterwarnings("ignore", f"{pattern}something else {number}")
        yield


Enter = Callable[[], AbstractContextManager[None]]

SITUATIONS: tuple[tuple[str, Callable[[], Callable[[], object]], str, Enter, int], ...] = (
    ("put_", put, "default filters", filters, 1),
    ("put_", put, "ignored", lambda: filters("ignore"), 1),
    (
        "put_",
        put,
        f"ignored, after {TEXTS} filters 'text'",
        lambda: filters("ignore", pattern="a "),
        1,
    ),
    (
        "put_",
        put,
        f"ignored, after {TEXTS} filters '.*text'",
        lambda: filters("ignore", pattern=".*"),
        1,
    ),
    ("put_", put, "shown each time", lambda: filters("always"), 1),
    ("put_", forgetting, "filters changed before each call", filters, 1),
    ("put_", last, f"default filters, after {LINES} lines of a function", filters, 1),
    ("put_", lines, f"default filters, on {LINES} lines of a function", filters, LINES),
    ("max_unpool2d", unpool, "default filters", filters, 1),
    ("put, backward", backward, "default filters", filters, 1),
    ("put, backward", backward, "ignored", lambda: filters("ignore"), 1),
    ("put, backward", backward, "shown each time", lambda: filters("always"), 1),
)
"""Operator, the work, what its warnings meet, that situation, and calls in one piece of work."""


def main() -> None:
    """Print what one call costs in each situation, and what that is of a training step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=101, help="pairs of blocks a row")
    parser.add_argument("--block", type=float, default=0.002, help="seconds a block, about")
    parser.add_argument("--json", default="", help="a file for the rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(describe())
    print(f"one call, microseconds (median of {options.rounds} pairs of blocks, 1 thread)")
    rows = []
    for operator, make, situation, enter, calls in SITUATIONS:
        with enter(), silence():
            times = in_turns(make(), LEVELS, options.rounds, options.block)
        rows.append(_row(operator, situation, times, calls))
        print(_line(rows[-1]), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Send what is shown nowhere, line by line as to a terminal."""
    shown = sys.stderr
    with Path(os.devnull).open("w", buffering=1) as sys.stderr:
        try:
            yield
        finally:
            sys.stderr = shown


def _row(operator: str, situation: str, times: dict[str, list[float]], calls: int) -> Row:
    micro = {name: [1e6 * one / calls for one in values] for name, values in times.items()}
    off, warn = (statistics.median(micro[name]) for name in LEVELS)
    return Row(operator, situation, off, warn, difference(micro, "warn", "off"))


def _line(row: Row) -> str:
    share = ALERTS * row.more.median / (1e6 * STEP)
    return (
        f"  {row.operator:<14} {row.situation:<50} off {row.off:7.2f}, warn {row.warn:7.2f}: "
        f"{row.more.median:+6.2f} ({row.more.low:+.2f}..{row.more.high:+.2f}); "
        f"{ALERTS} of them in a step of {1e3 * STEP:.0f} ms: {share:.2%}"
    )


if __name__ == "__main__":
    main()
