"""An engine that is not there, or lacks something, is said in one line before anything runs."""

import os
from pathlib import Path

import pytest

from harness.processes import run

from .support import program, sweep

KUBERNETES = ("--on", "kubernetes", "--image", "team:1", "--claim", "results")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--on", "slurm"), "sbatch is not there: --on slurm needs the commands of Slurm on PATH"),
        (("--on", "ray"), "Ray is not there: --on ray needs the package ray in "),
        ((*KUBERNETES, "--apply"), "kubectl is not there: --apply needs kubectl on PATH"),
        (KUBERNETES[:4], "--on kubernetes needs --claim"),
        (("--on", "kubernetes", "--claim", "results"), "--on kubernetes needs --image"),
        (("--image", "team:1"), "--image is an option of Kubernetes; it needs --on kubernetes"),
        (("--on", "ray", "--apply"), "--apply is an option of Kubernetes"),
        (("--slurm", "--time=5"), "--slurm has options of sbatch; it needs --on slurm"),
        ((*KUBERNETES, "--stdin", "train.py"), "a pod of Kubernetes cannot read it"),
    ],
)
def test_one_line_says_what_is_missing(
    python: Path, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    program(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = sweep(python, tmp_path, "--seeds", "2", *words, env={"PATH": str(empty)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seed-init sweep: ")
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("collect",), "collect wants the folder of a sweep"),
        (("collect", "nowhere"), "nowhere has no sweep in it"),
        (("one", "sweeps/train"), "no run is given, and this is no job of an array"),
        (("one", "sweeps/train", "run/seed-9"), "'run/seed-9' is no run of this sweep"),
        (("one", "--plan", "sweeps/other", "sweeps/train", "0"), "has runs of another plan"),
    ],
)
def test_wrong_words_of_an_action_are_one_line(
    python: Path, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    program(tmp_path)
    for name, more in (("train", ()), ("other", ("other",))):
        options = ("--seeds", "1,", "--no-repeat", "--name", name)
        sweep(python, tmp_path, *KUBERNETES, *options, command=("python", "train.py", *more))
    done = run(python, "-m", "seed_init", "sweep", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr


def test_the_index_of_an_array_is_the_place_of_the_run(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    sweep(python, tmp_path, *KUBERNETES, "--seeds", "4,7", "--no-repeat", command=("true",))
    folder = tmp_path / "sweeps/true"
    for name in ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"):
        env = {name: "1", "PATH": os.defpath}
        done = run(python, "-m", "seed_init", "sweep", "one", str(folder), cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / "run").iterdir()] == ["seed-7"]
