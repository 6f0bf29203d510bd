# SPDX-License-Identifier: Apache-2.0
"""Records of real runs, each with its trace, made once for all tests that read records.

A process that imports torch is what a test costs, so that a test asks here for a record before it
makes one.
"""

from pathlib import Path

from harness.processes import run
from harness.sharing import once
from seed_init.proof.trace import journal, records

from . import recorded

STEPS = 4
SCALED = 3
"""The step at which the gradients of the run "scaled" are a little larger."""

TRAINING = """
import sys, torch
from torch import nn

open("data").read()
steps, what = int(sys.argv[1]), sys.argv[2]
if what.isdigit():
    torch.manual_seed(int(what))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
if what == "bias":
    model[0].bias.data.add_(0.5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(steps):
    optimizer.zero_grad()
    model(torch.randn(4, 8)).square().mean().backward()
    if what == "scaled" and step == SCALED:
        for each in model.parameters():
            each.grad.mul_(1.01)
    optimizer.step()
""".replace("SCALED", str(SCALED))
"""Trains as many steps as it is told to; the second word may change something."""

CHILDREN = ("1", "2")
"""The second words of two programs that one run starts, the one after the other."""


def made(python: str, folder: str) -> dict[str, dict[str, str]]:
    """Make the records: name of a run -> `record` and `trace`, their paths."""
    directory = Path(folder)
    directory.mkdir(exist_ok=True)
    (directory / "data").write_text("1")
    (directory / "train.py").write_text(TRAINING)
    training = (python, "train.py", str(STEPS))

    def children(*words: str) -> tuple[str, ...]:
        return "sh", "-c", "; ".join(" ".join((*training, word)) for word in words)

    runs: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
        "one": ((*training, "plain"), {}),
        "again": ((*training, "plain"), {}),
        "seed": ((*training, "plain"), {"SEED": "8", "OMP_NUM_THREADS": "2"}),
        "longer": ((python, "train.py", str(STEPS + 1), "plain"), {}),
        "scaled": ((*training, "scaled"), {}),
        "bias": ((*training, "bias"), {}),
        "children": (children(*CHILDREN), {}),
        "children swapped": (children(*reversed(CHILDREN)), {}),
    }
    return {name: _run(python, directory, name, *of) for name, of in runs.items()}


def _run(
    python: str, directory: Path, name: str, command: tuple[str, ...], env: dict[str, str]
) -> dict[str, str]:
    record, trace = directory / f"{name}.json", directory / f"{name} trace"
    journal.write_plan(trace, records.PLAN)
    variables = {"SEED": "7", "OMP_NUM_THREADS": "1", "SEED_INIT_TRACE": str(trace), **env}
    if command[0] == python:
        variables["SEED_INIT_RECORD"] = str(record)
    done = run(*command, env=variables, cwd=directory)
    assert done.returncode == 0, done.stderr
    if command[0] != python:
        # Of several programs: each of them would write a record of its own.
        records.write(record, records.assemble(trace))
    recorded.valid(record)
    return {"record": str(record), "trace": str(trace)}


def of_training(python: Path, kept: Path) -> dict[str, dict[str, str]]:
    """Name of a run -> `record` and `trace`, their paths.

    Args:
        python: the interpreter of the runs, as the fixture of that name.
        kept: as the fixture of that name.
    """
    found: dict[str, dict[str, str]] = once(kept, made, str(python), str(kept / "corpus"))
    return found
