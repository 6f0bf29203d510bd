"""Real runs, and their records."""

import json
import os
import signal
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import jsonschema

from harness.processes import Completed, environment_of, run
from harness.repository import REPOSITORY
from seed_init.proof.trace.columns import coarsened, folded, summed
from seed_init.proof.trace.packing import VECTORS

SCHEMA = json.loads((REPOSITORY / "seed_init/proof/trace/schema/record-1.schema.json").read_text())

TRAINING = """
import os, sys, time, torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
steps = int(sys.argv[1])
step = 0
while steps < 0 or step < steps:
    optimizer.zero_grad()
    model(torch.randn(4, 8)).square().mean().backward()
    optimizer.step()
    step += 1
    if step == 3 and steps < 0:
        print("trained", flush=True)
        while True:
            time.sleep(0.01)
"""
"""Trains as many steps as it is told to; with -1 three, and then waits to be killed."""


def shortened(event: dict[str, Any], group: int = 1) -> dict[str, Any]:
    """A journal's step as it is read back from a record.

    Args:
        event: of kind "step".
        group: how many tensors a column stands for.
    """
    short: dict[str, Any] = {name: each for name, each in event.items() if name not in VECTORS}
    kinds = [kind for kind in VECTORS if kind in event]
    raw = {kind: b64decode(event[kind]) for kind in kinds}
    short |= {kind: list(coarsened(folded(raw[kind]), group)) for kind in kinds}
    short["sums"] = {kind: summed(raw[kind]) for kind in kinds}
    short["short"] = {"bits": 16, "group": dict.fromkeys(kinds, group)}
    return short


def training(place: Path) -> Path:
    """The program above, as a file."""
    program = place / "train.py"
    program.write_text(TRAINING)
    return program


def by_command(
    python: Path, output: Path, *command: Path | str, env: dict[str, str] | None = None, **more: Any
) -> Completed:
    """Run `seed-init record -o output -- command`."""
    words = ("-m", "seed_init", "record", "-o", output, "--", *command)
    return run(python, *words, env={"SEED": "7", **(env or {})}, **more)


def by_variable(
    python: Path, record: Path, *words: Path | str, env: dict[str, str] | None = None, **more: Any
) -> Completed:
    """Run a Python with SEED_INIT_RECORD."""
    return run(
        python, *words, env={"SEED": "7", "SEED_INIT_RECORD": str(record), **(env or {})}, **more
    )


def valid(file: Path) -> dict[str, Any]:
    """A record that keeps to its schema."""
    record: dict[str, Any] = json.loads(file.read_text())
    check = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(SCHEMA, format_checker=check).validate(record)
    return record


def started(*command: Path | str, env: dict[str, str], place: Path) -> "subprocess.Popen[str]":
    """Start a program whose output can be read; its interpreter is the first word."""
    return subprocess.Popen(
        [str(word) for word in command],
        env=environment_of(command[0], env),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed(process: "subprocess.Popen[str]", number: int, said: str = "trained") -> tuple[int, str]:
    """Send a signal when a program has said something.

    Returns:
        Its exit status, and what it wrote to stderr.
    """
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == said, process.communicate()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, errors
