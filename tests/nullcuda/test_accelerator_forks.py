"""Forked children have streams of their own on the devices as well."""

from pathlib import Path

from harness.processes import answer

from .running import NullCuda

PROGRAM = Path(__file__).parent / "programs" / "accelerator_forks.py"


def test_forked_children_have_distinct_streams_on_the_device(
    python: Path, null_cuda: NullCuda
) -> None:
    env = {**null_cuda.env(), "SEED": "7", "SEED_INIT_LOG": "quiet"}
    told = answer(python, PROGRAM, env=env)
    assert list(told) == ["cuda", "rocm"]
    for build, children in told.items():
        assert all(cpu == device for cpu, device in children), build
    assert len({cpu for children in told.values() for cpu, _ in children}) == 4
