"""A run whose engine has killed its starter ends, and becomes a row that says why."""

import os
import signal
import subprocess
from pathlib import Path

from harness.processes import environment_of
from seed_init.proof.sweeping import engines, ray
from seed_init.proof.sweeping.ledger import Folder

from .support import program, sweep, wait_for

WAITING = """
import os, time
from pathlib import Path

print("waiting", flush=True)
Path("began").write_text(str(os.getpid()))
time.sleep(600)
"""
STARTER = "import subprocess, sys; subprocess.run(sys.argv[1:])"
"""Stands for a worker of Ray, whose tasks start runs so."""


def test_a_run_ends_with_its_starter_and_is_a_row_that_says_why(
    python: Path, tmp_path: Path
) -> None:
    kubernetes = ("--on", "kubernetes", "--image", "team:1", "--claim", "results")
    program(tmp_path, WAITING)
    sweep(python, tmp_path, *kubernetes, "--seeds", "1,", "--no-repeat", "--name", "train")
    folder = Folder(tmp_path / "sweeps/train")
    [task] = folder.plan().tasks()
    words = [str(python), "-c", ray.START, *engines.words_of(folder, task)[3:]]
    starter = subprocess.Popen(
        [str(python), "-c", STARTER, *words], cwd=tmp_path, env=environment_of(python, {})
    )
    began = tmp_path / "began"
    wait_for(lambda: began.exists() and began.read_text() != "", 60)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()

    said: list[str] = []
    watch = engines.Watch(said.append, said.append, lambda row: said.append(row.how))
    waiting = engines.Waiting(folder, [task], watch)
    waiting.lose({task: "Ray has lost the run: its worker died"})
    assert waiting.left == []
    assert said == ["lost"]
    row = folder.row(task)
    assert row is not None
    assert row.content["last_line"] == (
        "Ray has lost the run: its worker died; its last line: waiting"
    )
    wait_for(lambda: not Path("/proc", began.read_text()).exists())
