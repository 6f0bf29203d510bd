"""DETERMINISM=portable says what holds on a GPU, once, and only where CUDA starts."""

from pathlib import Path

from harness.processes import run

from .running import NullCuda

LINE = "on a GPU the same bits hold for one model of GPU only"
PROGRAM = """
import sys, torch
if sys.argv[1:]:
    a = torch.ones(3, device="cuda")
    torch.ones(3, device="cuda:1")
    assert torch.get_deterministic_debug_mode() == 2
    (a @ a).item()
    if pid := __import__("os").fork():
        __import__("os").waitpid(pid, 0)
"""


def lines(python: Path, null_cuda: NullCuda, *arguments: str, **env: str) -> list[str]:
    env = {**null_cuda.env(), "SEED": "7", "DETERMINISM": "portable", **env}
    done = run(python, "-c", PROGRAM, *arguments, env=env, timeout=180)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if LINE in line]


def test_it_is_said_once_when_cuda_starts(python: Path, null_cuda: NullCuda) -> None:
    (line,) = lines(python, null_cuda, "cuda")
    assert line.startswith("seed_init: DETERMINISM=portable is kept on the CPU; ")


def test_nothing_is_said_where_no_program_uses_a_gpu(python: Path, null_cuda: NullCuda) -> None:
    assert lines(python, null_cuda) == []
