"""Forked children have streams of their own on the devices as well."""

from pathlib import Path

import pytest
from hook.support import answer

from .running import NullCuda

PROGRAM = Path(__file__).parent / "programs" / "accelerator_forks.py"


@pytest.mark.parametrize("build", ["cuda", "rocm"])
def test_forked_children_have_distinct_streams_on_the_device(
    python: Path, null_cuda: NullCuda, build: str
) -> None:
    env = {**null_cuda.env(), "SEED": "7", "SEED_INIT_LOG": "quiet"}
    children = answer(python, PROGRAM, build, env=env)
    assert len({seeds[0] for seeds in children}) == 2
    assert all(cpu == device for cpu, device in children)
