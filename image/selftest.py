"""Prove in the finished image that a process is seeded; the last step of its build.

Usage: selftest.py [MODULE ...]: modules that have to be importable as well.
"""

import json
import os
import random
import subprocess
import sys

PROGRAM = """
import json, random, numpy, torch
print(json.dumps([random.random(), numpy.random.rand(), torch.rand(1).item(),
                  torch.get_deterministic_debug_mode()]))
"""


def run(program: str, *flags: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "SEED"}
    return subprocess.run(
        [sys.executable, *flags, "-c", program],
        env={**environment, **variables},
        capture_output=True,
        text=True,
    )


def recipe(seed: int) -> list[float]:
    """The numbers that the well-known recipe gives, by hand."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)
    return [random.random(), numpy.random.rand(), torch.rand(1).item(), 1]


def main() -> int:
    for seed, flags, variables in (
        (7, (), {"SEED": "7"}),
        (7, ("-I",), {"SEED": "7"}),
        (42, (), {}),
    ):
        done = run(PROGRAM, *flags, **variables)
        if done.returncode or json.loads(done.stdout) != recipe(seed):
            return fail(f"python {flags} with {variables or 'no SEED'}", done)
    done = run("pass", SEED="seven")
    if done.returncode != 78 or done.stdout:
        return fail("SEED=seven is not refused", done)
    done = run("\n".join(f"import {name}" for name in sys.argv[1:]))
    if done.returncode:
        return fail(f"import {' '.join(sys.argv[1:])}", done)
    return 0


def fail(what: str, done: "subprocess.CompletedProcess[str]") -> int:
    print(
        f"seed-init build: self-test failed: {what}: status {done.returncode}, "
        f"stdout {done.stdout!r}, stderr {done.stderr!r}",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
