"""`seed-init sweep --on slurm`: an array of a real Slurm makes the runs."""

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.waiting import until

from . import slurm
from .sweeps import Sweeps, statuses, values

SLURM = ("--on", "slurm")
OPTIONS = ("--slurm", "--job-name=mine", "--overcommit")


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Those by which Slurm's commands find the Slurm of these tests."""
    why = slurm.missing()
    if why:
        pytest.skip(why)
    with slurm.running(tmp_path_factory.mktemp("slurm"), "MaxArraySize=4") as found:
        yield found


@pytest.fixture
def sweeps(python: Path, tmp_path: Path, variables: dict[str, str]) -> Sweeps:
    return Sweeps(python, tmp_path, variables)


def arrays(sweeps: Sweeps, name: str) -> list[list[str]]:
    """The names of the runs of each array that was submitted."""
    return [job["tasks"] for job in sweeps.plan(name)["engine"]["slurm"]["jobs"]]


def test_an_array_gives_what_this_machine_gives(sweeps: Sweeps) -> None:
    more = ("tell", "SLURM_JOB_NAME", "tell", "SLURM_ARRAY_TASK_ID")
    program = f"{sweeps.python} {Path(__file__).parent}/programs/sweep_value.py"
    here = sweeps.well("here", "--against", program, more=more)
    there = sweeps.well("there", "--against", program, *SLURM, *OPTIONS, more=more)
    assert values(there) == values(here)
    assert len(set(values(here).values())) == 3  # the seed decides; the repeat and CMD2 draw alike
    assert there["statistics"] == here["statistics"]
    assert sweeps.shown("there", "run/seed-2").startswith("SLURM_JOB_NAME=mine")
    assert sweeps.shown("here", "run/seed-2").startswith("SLURM_JOB_NAME=None")
    # Seven runs are two arrays where an array has four jobs at most.
    assert [len(names) for names in arrays(sweeps, "there")] == [4, 3]


def test_only_what_is_missing_is_submitted_again(sweeps: Sweeps, tmp_path: Path) -> None:
    luck = tmp_path / "luck"
    words = sweeps.words("again", *SLURM, *OPTIONS, more=("fail", "2", str(luck)))
    first = sweeps.run(words)
    assert first.returncode == 1
    assert "seed 2 ended with exit status 1; its last line: no luck today" in first.stderr
    assert statuses(sweeps.result("again"))["run/seed-2"] == 1
    luck.touch()
    second = sweeps.run(words)
    assert second.returncode == 0, second.stdout + second.stderr
    assert set(statuses(sweeps.result("again")).values()) == {0}
    assert arrays(sweeps, "again")[1:] == [["run/seed-2"]]


def test_a_run_that_slurm_ends_is_a_row_that_says_so(sweeps: Sweeps, tmp_path: Path) -> None:
    began = tmp_path / "began"
    words = sweeps.words("lost", *SLURM, *OPTIONS, more=("wait", "1", str(began)))
    process = subprocess.Popen(
        words, cwd=tmp_path, env=sweeps.environment(), stderr=subprocess.PIPE, text=True
    )
    until("the run waits", began.exists)
    [job] = sweeps.plan("lost")["engine"]["slurm"]["jobs"]
    place = job["tasks"].index("run/seed-1")
    subprocess.run(["scancel", f"{job['id']}_{place}"], env=sweeps.environment(), check=True)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"seed 1 was lost: Slurm has ended the job: CANCELLED", told)
    result = sweeps.result("lost")
    assert statuses(result) == {
        **{"run/seed-0": 0, "run/seed-0-again": 0, "run/seed-1": None, "run/seed-2": 0}
    }


def test_the_runs_go_on_without_who_waits_and_are_found_again(
    sweeps: Sweeps, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    more = ("wait", "2", str(began))
    words = sweeps.words("left", *SLURM, *OPTIONS, more=more)
    shown, end, process = _on_a_terminal(sweeps, words)
    until("the run waits", began.exists)
    until("the queue is told", lambda: "3 of 4 runs over" in "".join(shown))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    end.join(10)
    told = "".join(shown)
    assert "Slurm: 1 running" in told
    assert re.search(r"Slurm goes on with 1 run, unless 'scancel \d+' ends the job", told)

    again, end, process = _on_a_terminal(sweeps, words)
    until("the queue is told", lambda: "0 of 1 runs over; Slurm: 1 running" in "".join(again))
    subprocess.run(["scancel", "--name=mine"], env=sweeps.environment(), check=True)
    assert process.wait(60) == 1
    end.join(10)
    assert "waiting for 1 run that Slurm has in its queue already" in "".join(again)
    assert len(arrays(sweeps, "left")) == 1


def _on_a_terminal(
    sweeps: Sweeps, words: list[str]
) -> tuple[list[str], threading.Thread, "subprocess.Popen[Any]"]:
    """Start a command whose stderr is a terminal; what it shows there, and its process."""
    mine, its = pty.openpty()
    process = subprocess.Popen(
        words,
        cwd=sweeps.place,
        env={**sweeps.environment(), "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=its,
    )
    os.close(its)
    shown: list[str] = []

    def read() -> None:
        try:
            while piece := os.read(mine, 4096):
                shown.append(piece.decode(errors="replace"))
        except OSError:  # nobody has the other end any more
            os.close(mine)

    thread = threading.Thread(target=read)
    thread.start()
    return shown, thread, process


def test_a_job_that_is_requeued_makes_its_run_afresh(sweeps: Sweeps, tmp_path: Path) -> None:
    here = sweeps.well("here")
    began = tmp_path / "began"
    words = sweeps.words("requeued", *SLURM, *OPTIONS, more=("wait", "1", str(began)))
    process = subprocess.Popen(words, cwd=tmp_path, env=sweeps.environment())
    until("the run waits", began.exists)
    [job] = sweeps.plan("requeued")["engine"]["slurm"]["jobs"]
    place = f"{job['id']}_{job['tasks'].index('run/seed-1')}"
    with slurm.at_once(sweeps.variables):
        subprocess.run(["scontrol", "requeue", place], env=sweeps.environment(), check=True)
        assert process.wait(150) == 0
    assert values(sweeps.result("requeued")) == values(here)
    # What the first attempt has left is set aside.
    assert (sweeps.folder("requeued") / "unfinished/run-seed-1-1/stdout.txt").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--partition=none",), r"sbatch has refused the array of 4 runs: .*Invalid partition"),
        (("--array=0-3",), r"--array=0-3 cannot be given behind --slurm, because the sweep makes"),
    ],
)
def test_what_slurm_cannot_take_is_one_line(
    sweeps: Sweeps, options: tuple[str, ...], line: str
) -> None:
    done = sweeps.run(sweeps.words("refused", *SLURM, "--slurm", *options))
    assert done.returncode == 2
    [told] = done.stderr.splitlines()
    assert re.match(rf"seed-init sweep: {line}", told)
