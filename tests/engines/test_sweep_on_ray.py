"""`seed-init sweep --on ray`: tasks of a real Ray make the runs."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.waiting import until

from . import test_ray
from .sweeps import Sweeps, statuses, values

RAY = ("--on", "ray")


@pytest.fixture(scope="module")
def cluster(python: Path) -> Iterator[str]:
    """The address of a cluster that runs already, and that nobody has asked for a seed."""
    with ExitStack() as stack:
        # On a busy machine a node takes longer than Ray has patience for.
        address, _ = test_ray.head(python, stack, RAY_raylet_start_wait_time_s="120")
        yield address


@pytest.fixture
def sweeps(python: Path, tmp_path: Path) -> Sweeps:
    return Sweeps(python, tmp_path, {**test_ray.QUIET, "RAY_ADDRESS": "local"})


@pytest.fixture
def remote(python: Path, tmp_path: Path, cluster: str) -> Sweeps:
    return Sweeps(python, tmp_path, {**test_ray.QUIET, "RAY_ADDRESS": cluster, "MINE": "7"})


def test_a_cluster_that_runs_gives_what_this_machine_gives(remote: Sweeps) -> None:
    more = ("tell", "MINE", "tell", "OMP_NUM_THREADS")
    here = remote.well("here", more=more)
    there = remote.well("there", *RAY, more=more)
    assert values(there) == values(here)
    assert len(set(values(here).values())) == 3
    # The variables are those of who submits, and not the worker's, which has one thread.
    assert remote.shown("there", "run/seed-1").startswith("MINE=7\nOMP_NUM_THREADS=None\n")


def test_without_a_cluster_a_ray_of_this_machine_makes_the_runs(sweeps: Sweeps) -> None:
    there = sweeps.well("there", *RAY)
    assert set(statuses(there).values()) == {0}
    assert len(set(values(there).values())) == 3


def test_a_run_whose_worker_is_lost_is_a_row_that_says_so(remote: Sweeps, tmp_path: Path) -> None:
    began = tmp_path / "began"
    words = remote.words("lost", *RAY, more=("wait", "1", str(began)))
    process = subprocess.Popen(
        [*words[:4], "--json", *words[4:]],
        cwd=tmp_path,
        env=remote.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until("the run waits", lambda: process.poll() is not None or _told(began))
    assert process.poll() is None
    program = int(began.read_text())
    os.kill(_worker_of(program), signal.SIGKILL)
    shown, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert json.loads(shown) == remote.result("lost")  # and nothing of Ray's
    assert "seed 1 was lost: Ray has lost the run: " in told
    assert statuses(remote.result("lost")) == {
        **{"run/seed-0": 0, "run/seed-0-again": 0, "run/seed-1": None, "run/seed-2": 0}
    }
    until("the program has ended", lambda: not Path(f"/proc/{program}").exists())


def _told(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _worker_of(pid: int) -> int:
    """The nearest process of Ray above a process."""
    while not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::"):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


def test_ctrl_c_ends_the_runs(remote: Sweeps, tmp_path: Path) -> None:
    began = tmp_path / "began"
    words = remote.words("ended", *RAY, more=("wait", "1", str(began)))
    process = subprocess.Popen(
        words, cwd=tmp_path, env=remote.environment(), stderr=subprocess.PIPE, text=True
    )
    until("the run waits", lambda: process.poll() is not None or _told(began))
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1].startswith("seed-init sweep: interrupted; 2 of 4 runs are done")
    program = began.read_text()
    until("the program has ended", lambda: not Path(f"/proc/{program}").exists())


def test_a_cluster_that_does_not_answer_is_one_line(python: Path, tmp_path: Path) -> None:
    sweeps = Sweeps(python, tmp_path, {**test_ray.QUIET, "RAY_ADDRESS": "127.0.0.1:1"})
    done = sweeps.run(sweeps.words("gone", *RAY))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "seed-init sweep: Ray cannot be reached at RAY_ADDRESS=127.0.0.1:1: "
    )
    assert "Traceback" not in done.stderr
