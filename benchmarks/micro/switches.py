"""Each switch of warn alone, on the CPU: a training step, and memory that is not written yet."""

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.micro.blocks import Quartiles, in_turns, ratio
from benchmarks.micro.levels import describe, level

ARMS = {
    "off": level("off"),
    "off, once more": level("off"),
    "cudnn.deterministic": level("off", CUDNN_DETERMINISTIC="1"),
    "cudnn.benchmark": level("off", CUDNN_BENCHMARK="1"),
    "cudnn.allow_tf32 off": level("off", CUDNN_ALLOW_TF32="0"),
    "matmul.allow_tf32": level("off", TORCH_ALLOW_TF32="1"),
    "deterministic algorithms": level(
        "off", TORCH_DETERMINISTIC_ALGORITHMS="warn", TORCH_FILL_UNINITIALIZED_MEMORY="0"
    ),
    "deterministic algorithms, fill": level("off", TORCH_DETERMINISTIC_ALGORITHMS="warn"),
    "warn": level("warn"),
    "strict": level("strict"),
}
"""What is switched on, everything else as under off; the second shows the noise."""

FILLS = {
    "fill off": level("warn"),
    "fill on": level("warn", TORCH_FILL_UNINITIALIZED_MEMORY="1"),
}


@dataclass(frozen=True)
class Row:
    """One piece of work under one setting.

    Attributes:
        work: what was done.
        setting: what was switched on.
        micro: microseconds a call, median.
        ratio: to the first setting, of the blocks of one round.
        least: the shortest block over the first setting's shortest.
    """

    work: str
    setting: str
    micro: float
    ratio: Quartiles
    least: float


def training_step(width: int, batch: int) -> Callable[[], object]:
    """A step of AdamW on an MLP of three hidden layers with dropout."""
    torch.manual_seed(7)
    hidden = [nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.1)]
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), *hidden, *hidden, nn.Linear(width, 10))
    optimizer = torch.optim.AdamW(model.parameters())
    x, y = torch.randn(batch, 64), torch.randint(10, (batch,))

    def step() -> object:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        return optimizer.step()

    return step


def empty(elements: int) -> Callable[[], object]:
    """torch.empty of float32."""
    return lambda: torch.empty(elements)


def empty_then_written(elements: int) -> Callable[[], object]:
    """The same, and every element written, as it is done with memory that is wanted."""
    return lambda: torch.empty(elements).zero_()


WORK: tuple[tuple[str, Callable[[], Callable[[], Any]], dict[str, Callable[[], None]]], ...] = (
    ("training step, MLP of width 64, batch 32", lambda: training_step(64, 32), ARMS),
    ("training step, MLP of width 512, batch 256", lambda: training_step(512, 256), ARMS),
    ("torch.empty, 4 kB", lambda: empty(1_000), FILLS),
    ("torch.empty, 1 MB", lambda: empty(250_000), FILLS),
    ("torch.empty, 100 MB", lambda: empty(25_000_000), FILLS),
    ("torch.empty, 100 MB, then written", lambda: empty_then_written(25_000_000), FILLS),
)


def main() -> None:
    """Print a table for each piece of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=61, help="blocks a row")
    parser.add_argument("--block", type=float, default=0.01, help="seconds a block, about")
    parser.add_argument("--only", default="", help="a part of the names to measure")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--json", default="", help="a file for the rows")
    options = parser.parse_args()
    print(describe())
    result: dict[int, list[dict[str, Any]]] = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        result[threads] = []
        for name, make, arms in WORK:
            if options.only not in name:
                continue
            print(f"{name}, {threads} threads (median of {options.rounds} blocks in turns)")
            for row in measure(name, make(), arms, options.rounds, options.block):
                print(_line(row), flush=True)
                result[threads].append(asdict(row))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def measure(
    name: str,
    work: Callable[[], object],
    arms: dict[str, Callable[[], None]],
    rounds: int,
    block: float,
) -> list[Row]:
    """One row for each setting; the first is what the others are compared with."""
    times = in_turns(work, arms, rounds, block)
    first = next(iter(arms))
    return [
        Row(
            name,
            arm,
            1e6 * statistics.median(times[arm]),
            ratio(times, arm, first),
            min(times[arm]) / min(times[first]),
        )
        for arm in arms
    ]


def _line(row: Row) -> str:
    return (
        f"  {row.setting:<32} {row.micro:10.1f} us   ratio {row.ratio.median:.3f} "
        f"({row.ratio.low:.3f}..{row.ratio.high:.3f}), least {row.least:.3f}"
    )


if __name__ == "__main__":
    main()
