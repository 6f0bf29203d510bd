"""The instrument `window` in a program: it waits for torch, and never imports it by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hook.conftest import fresh
from hook.support import run

from seed_init.proof import journal

__all__ = ["fresh"]

PLAN = {
    "instruments": ["steps", "end", "window"],
    "window": {"optimizer": 0, "call": 0, "operators": True},
}


def observed(python: Path, place: Path, source: str) -> tuple[str, journal.Process]:
    """What a program prints, and what was written about it, of which nothing failed."""
    journal.write_plan(place / "trace", PLAN)
    env = {"SEED": "7", "SEED_INIT_TRACE": str(place / "trace"), "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = ""  # its being there has the hook start from its .pth
    done = run(python, "-c", source, env=env, cwd=place)
    assert done.returncode == 0, done.stderr
    [process] = journal.read(place / "trace")
    assert process.of("failed") == []
    return done.stdout.strip(), process


def test_a_program_that_imports_no_torch_gets_none_and_its_draws_are_seen(
    python: Path, tmp_path: Path
) -> None:
    source = "import random, sys\nrandom.random()\nprint('torch' in sys.modules)"
    printed, process = observed(python, tmp_path, source)
    assert printed == "False"
    assert [(event["generator"], event["line"]) for event in process.of("draw")] == [("random", 2)]


@pytest.mark.torch
def test_torch_may_come_to_be_found_only_after_the_hook_has_started(
    fresh: Callable[[str], Path], tmp_path: Path
) -> None:
    """As in a virtual environment over another's packages, or where a .pth adds them later."""
    python = fresh("hooked")
    [packages] = python.parent.parent.glob("lib/python3*/site-packages/packages.pth")
    packages.rename(packages.with_name("zz_packages.pth"))
    source = "import torch\ntorch.rand(2)"
    _, process = observed(python, tmp_path, source)
    [operator] = [event for event in process.of("operator") if event["name"] == "aten::rand"]
    assert operator["line"] == 2
