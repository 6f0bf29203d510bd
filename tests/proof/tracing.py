"""Run a program with and without a trace, and read the trace."""

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.processes import output, run
from seed_init.proof.trace import journal

PRELUDE = """
import hashlib, json, os, sys
import torch
from torch import nn

torch.set_num_threads(1)

def digest(*models):
    content = hashlib.sha256()
    for model in models:
        for name, tensor in model.state_dict().items():
            tensor = tensor.detach()
            if tensor.layout != torch.strided:
                tensor = tensor.to_dense()
            lanes = tensor.contiguous().view(-1).view(torch.uint8)
            content.update(name.encode() + bytes(lanes.tolist()))
    return content.hexdigest()

def net(*sizes):
    layers = []
    for one, two in zip(sizes, sizes[1:]):
        layers += [nn.Linear(one, two), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])
"""


@dataclass
class Traced:
    """What a program printed, which was the same with and without a trace, and its trace."""

    answer: Any
    processes: list[journal.Process]
    stderr: str

    @property
    def main(self) -> journal.Process:
        """The first process that ran the program itself; inductor starts others before."""
        own = (each for each in self.processes if each.header["argv"][-1].endswith("program.py"))
        return next(own)

    def steps(self, optimizer: int | None = None) -> list[dict[str, Any]]:
        """The steps of the first process."""
        return [
            event
            for event in self.main.of("step")
            if optimizer is None or event["optimizer"] == optimizer
        ]

    def names(self, kind: str = "parameters", optimizer: int = 0) -> list[str]:
        """The names that were written last."""
        tables = [
            event
            for event in self.main.of("tensors")
            if event["kind"] == kind and event["optimizer"] == optimizer
        ]
        return list(tables[-1]["names"])


def traced(
    python: Path,
    directory: Path,
    source: str,
    *before: str,
    env: Mapping[str, str] | None = None,
    plan: dict[str, Any] | None = None,
) -> Traced:
    """Run a program without a trace and with one: it must print the same and must not fail.

    Args:
        python: the hooked interpreter.
        directory: for its files.
        source: what follows the prelude; its last line of output is JSON.
        before: arguments of the interpreter before the file.
        env: more variables.
        plan: of the trace.
    """
    program = directory / "program.py"
    program.write_text(PRELUDE + source)
    place = directory / "trace"
    if plan is not None:
        journal.write_plan(place, plan)
    base = {"SEED": "7", "SEED_INIT_LOG": "info", **(env or {})}
    base |= {"HOME": str(directory), "OMP_NUM_THREADS": "1"}
    without = output(python, *before, program, env=base, cwd=directory, timeout=300)
    done = run(
        python,
        *before,
        program,
        env={**base, "SEED_INIT_TRACE": str(place)},
        cwd=directory,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "observing is incomplete" not in done.stderr, done.stderr
    last, expected = done.stdout.strip().splitlines()[-1], without.splitlines()[-1]
    assert last == expected
    processes = journal.read(place)
    assert not [event for each in processes for event in each.of("failed")]
    return Traced(json.loads(last), processes, done.stderr)


def numbers(encoded: str) -> list[int]:
    """The numbers of a vector."""
    content = base64.b64decode(encoded)
    return list(struct.unpack(f"<{len(content) // 8}q", content))
