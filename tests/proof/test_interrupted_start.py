"""Ctrl-C before user code begins: the process dies of SIGINT, and user code is not run."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import run

SENDING = r"""
import os, signal, sys
at, seen = os.environ.get("SENT_AT", ""), [0]
def heard(event, arguments):
    if event == "import" and arguments[0].startswith("seed_init"):
        seen[0] += 1
        if not at:
            with open(os.environ["LIST"], "a") as names:
                names.write(arguments[0] + "\n")
        elif int(at) == seen[0]:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(heard)
"""
"""Sends SIGINT when the hook imports the n-th of its modules; without n, notes their names."""


@pytest.fixture
def sending(fresh: Callable[[str], Path]) -> Path:
    """A hooked Python that runs `SENDING` before its hook."""
    python = fresh("hooked")
    [site] = python.parent.parent.glob("lib/python3*/site-packages")
    (site / "a_sending.pth").write_text(f"import sys; exec({SENDING!r}, {{}})\n")
    return python


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["SEED_INIT_TRACE", "SEED_INIT_RECORD"])
def test_ctrl_c_at_any_import_of_a_traced_start_is_no_failure_to_seed(
    sending: Path, tmp_path: Path, asked: str
) -> None:
    env = {"SEED": "7", asked: str(tmp_path / "asked"), "PYTHONPATH": ""}
    words = (sending, "-c", "print('user code')")
    names, interrupted = tmp_path / "names", 0
    assert run(*words, env={**env, "LIST": str(names)}).stdout == "user code\n"
    count = len(names.read_text().split())
    assert count > 10
    for number in range(1, count + 1, 2):
        done = run(*words, env={**env, "SENT_AT": str(number)})
        told = (number, done.returncode, done.stdout, done.stderr)
        if "user code" not in done.stdout:  # some are imported only when the process ends
            assert (done.returncode, done.stderr) == (-signal.SIGINT, ""), told
            interrupted += 1
        assert "seeding failed" not in done.stderr, told
    assert interrupted > 5
