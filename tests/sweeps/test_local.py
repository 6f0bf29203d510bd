"""Several runs at one time, and the line of progress."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from harness.processes import environment_of
from seed_init.proof.sweeping import local
from seed_init.proof.sweeping.plan import Task
from tests.proof.support import are_gone, kill

from .support import ended, program, result, started, sweep, wait_for

MEETING = """
import os, pathlib, time

seed = os.environ["SEED"]
pathlib.Path(f"here-{seed}").touch()
until = time.monotonic() + 20
while not all(os.path.exists(f"here-{other}") for other in (0, 1, 2)):
    assert time.monotonic() < until, "alone"
    time.sleep(0.01)
"""
"""Ends only where three of its runs go on at one time."""


@pytest.mark.slow
def test_runs_go_on_at_one_time(python: Path, tmp_path: Path) -> None:
    program(tmp_path, MEETING)
    done = sweep(python, tmp_path, "--seeds", "3", "--no-repeat", "--jobs", "3")
    assert done.returncode == 0, done.stderr
    assert [run["status"] for run in result(tmp_path)["runs"]] == [0, 0, 0]


STAYING = """
import os, signal, subprocess, sys, time

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
with open("pids", "a") as pids:
    print(os.getpid(), child.pid, file=pids)
time.sleep(100)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["INT", "TERM", "KILL"])
def test_no_process_of_any_run_is_left(python: Path, tmp_path: Path, name: str) -> None:
    program(tmp_path, STAYING)
    process = started(python, tmp_path, "--seeds", "4", "--no-repeat", "--jobs", "2")
    pids: list[int] = []
    try:
        file = tmp_path / "pids"
        wait_for(lambda: file.exists() and file.read_text().count("\n") == 2)
        pids = [int(pid) for pid in file.read_text().split()]
        status, _ = ended(process, signal.Signals[f"SIG{name}"])
        number = signal.Signals[f"SIG{name}"]
        assert status == (-number if name == "KILL" else 128 + number)
        wait_for(lambda: are_gone(pids))
        assert list(tmp_path.glob("sweeps/train/run/*/run.json")) == []
    finally:
        process.kill()
        kill(pid for pid in pids if not are_gone([pid]))


@pytest.mark.slow
def test_the_line_of_progress_is_for_a_terminal_alone(python: Path, tmp_path: Path) -> None:
    program(tmp_path, "import time; time.sleep(0.6)")
    words = ("--seeds", "3", "--no-repeat")
    assert sweep(python, tmp_path, *words, "--name", "piped").stderr == ""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(w) for w in (python, "-m", "seed_init", "sweep", *words, "--", python, "train.py")],
        cwd=tmp_path,
        env=environment_of(python, {"COLUMNS": "100"}),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "0 of 3 runs done; seed 0, " in text
    assert "2 of 3 runs done; seed 2, 0 s; 0 s left" in text or "s left" in text
    assert text.endswith("\r\x1b[2K")


def test_the_time_left_is_that_of_the_runs_that_are_left() -> None:
    progress = local.Progress(total=10, done=4, jobs=2)
    assert progress.line() == "4 of 10 runs done"
    progress.seconds += [100.0, 140.0]
    progress.running[Task(5, "run", 3)] = (20.0, Path("nowhere"))
    progress.running[Task(6, "against", 3)] = (200.0, Path("nowhere"))
    # Six runs of 120 s, of which 20 s and all of one are over, two at a time.
    assert progress.left() == (6 * 120 - 20 - 120) / 2
    assert progress.line() == "4 of 10 runs done; seed 3, 20 s and 1 more; 5 min left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (5399, "1 h 30 min"), (86400, "24 h 00 min")],
)
def test_a_time_is_told_as_a_reader_wants_it(seconds: float, text: str) -> None:
    assert local.duration(seconds) == text


@pytest.mark.slow
def test_a_run_that_is_lost_is_a_row_and_is_missing(python: Path, tmp_path: Path) -> None:
    """As an engine says of a job that has ended without a word."""
    from seed_init.proof.sweeping import one, results
    from seed_init.proof.sweeping.ledger import Folder

    program(tmp_path)
    sweep(python, tmp_path, "--seeds", "2")
    folder = Folder(tmp_path / "sweeps/train")
    (folder.path / "run/seed-1/run.json").unlink()
    row = one.lost(folder.path, 2, "Slurm says TIMEOUT")
    assert (row.how, row.status) == ("lost", None)
    content = results.summary(folder.path)
    assert content["runs"][2]["problems"] == ["was lost: Slurm says TIMEOUT"]
    assert [task.index for task in folder.missing(folder.plan())] == [2]
    # What has ended stays as it is.
    assert one.lost(folder.path, 0, "Slurm says TIMEOUT").status == 0
    json.dumps(content, allow_nan=False)
