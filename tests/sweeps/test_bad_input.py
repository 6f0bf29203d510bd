"""Whatever is wrong is said in one line, and nothing of the user's is touched."""

import os
from pathlib import Path

import pytest

from harness.processes import run
from seed_init.proof.running import commands
from seed_init.proof.sweeping import local, plan
from seed_init.proof.trace import machine

from .support import program, sweep


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "--seeds is not given; give a number of seeds such as 10, or a list"),
        ("--seeds 9-0", "the range '9-0' is reversed; write 0-9"),
        ("--seeds 4294967296,", "the seed 4294967296 is not accepted"),
        ("--seeds 1,1", "the seed 1 is there twice"),
        ("--seeds 0", "names no seed"),
        ("--seeds 2 --jobs 0", "'0' is not a whole number from 1 on"),
        ("--seeds 2 --jobs 2 --gpus-per-run 4", "--jobs 2 with --gpus-per-run 4 need 8 GPUs"),
        ("--seeds 2 --metric acc(", "is no regular expression"),
        ("--seeds 2 --metric (a)(b)", "has 2 groups and may match several numbers"),
        ("--seeds 2 --metric a --metric a", "the metric 'a' is there twice"),
        ("--seeds 2 --better higher", "it belongs to a --metric; write it after that"),
        ("--seeds 2 --metric a --better best", "invalid choice: 'best'"),
        ("--seeds 2 --against 'a", "cannot be split into words"),
        ("--seeds 2 --against nosuchcommand", "nosuchcommand: no such command in PATH"),
        (
            "--seeds 2 --against python train.py --wide",
            "--against has got the word 'python' alone; put the other command in quotation marks: "
            "--against 'python train.py --wide'",
        ),
        ("--seeds 2 --metric m.json:acc", "for a value of a JSON file give 'm.json:/acc'"),
        ("--seeds 2 --name a/b", "'a/b' is no name of a folder"),
        ("--seeds 2 --stdin nowhere", "nowhere cannot be read as standard input"),
        ("--seeds 2 --timeout 0", "is not a positive number of seconds"),
        ("--seeds 2 --plot no/where.svg", "there is no directory no; make it first"),
        ("--seeds 2 --jobs 2 --metric m.json:/x", "m.json is one file for all runs"),
        ("--seeds 2 --on moon", ""),
    ],
)
def test_a_wrong_word_is_said_in_one_line_and_nothing_is_made(
    python: Path, tmp_path: Path, words: str, reason: str
) -> None:
    program(tmp_path)
    done = sweep(python, tmp_path, *words.split(" ") if words else ())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seed-init sweep: ")
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_a_command_that_cannot_start_is_said_before_anything_runs(
    python: Path, tmp_path: Path
) -> None:
    for command, reason in (
        (("nosuchcommand",), "nosuchcommand: no such command in PATH"),
        (("./train.sh",), "./train.sh: there is no such file"),
    ):
        done = sweep(python, tmp_path, "--seeds", "2", command=command)
        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1
    done = run(python, "-m", "seed_init", "sweep", "--seeds", "2", cwd=tmp_path)
    assert commands.NOT_GIVEN in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_both_commands_write_to_is_refused(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    against = f"{python} train.py --wide --out runs/{{seed}}"
    command = (python, "train.py", "--out", "runs/{seed}")
    done = sweep(python, tmp_path, "--seeds", "2", "--against", against, command=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "runs/{seed} is in both commands" in done.stderr
    assert "or {dir}, the directory of the run" in done.stderr
    assert done.stderr.count("\n") == 1


def test_one_and_collect_are_programs_where_seeds_are_given(python: Path, tmp_path: Path) -> None:
    done = sweep(python, tmp_path, "--seeds", "2", command=("one", "x"))
    assert "one: no such command in PATH" in done.stderr
    done = run(python, "-m", "seed_init", "sweep", "one", "nowhere", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere has no sweep in it" in done.stderr
    assert done.stderr.count("\n") == 1


# --- GPUs: dealt out in this process, because this machine has none -----------------------------


@pytest.mark.parametrize(
    ("visible", "jobs", "per_run", "dealt"),
    [
        ("0,1,2,3", 1, None, [None]),
        ("0,1,2,3", 4, None, ["0", "1", "2", "3"]),
        ("0,1", 4, None, ["0", "1", "0", "1"]),
        ("0,1,2,3", 2, 2, ["0,1", "2,3"]),
        ("0,1,2,3", 1, 2, ["0,1"]),
        ("GPU-a, GPU-b", 2, None, ["GPU-a", "GPU-b"]),
        ("0,1,-1,3", 3, None, ["0", "1", "0"]),
        ("", 2, None, [None, None]),
        ("0,1", 2, 0, [None, None]),
    ],
)
def test_gpus_are_dealt_out(
    monkeypatch: pytest.MonkeyPatch,
    visible: str,
    jobs: int,
    per_run: int | None,
    dealt: list[str | None],
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local.deal(jobs, per_run) == dealt


def test_too_few_gpus_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "gpus", lambda: [{"name": "a"}, {"name": "b"}])
    assert local.deal(2, 1) == ["0", "1"]
    with pytest.raises(local.TooFewGPUs, match="need 4 GPUs, and there are 2"):
        local.deal(2, 2)


def test_a_run_sees_its_gpus_and_other_machines_get_the_same_contract(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from seed_init.proof.sweeping.one import environment_of

    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("DETERMINISM", "off")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    made = plan.Plan("a", "/", ("true",), (0,), environment={"DETERMINISM": "strict"})
    environment = environment_of(made, 7, tmp_path, "2")
    assert environment["SEED"] == "7"
    assert environment["CUDA_VISIBLE_DEVICES"] == "2"
    assert environment["DETERMINISM"] == "strict"
    assert "OMP_NUM_THREADS" not in environment
    assert "SLURM_RESTART_COUNT" not in environment
    assert environment["PATH"] == os.environ["PATH"]
