"""Work is never lost and never repeated: real sweeps are killed, and go on."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness.processes import run
from tests.proof.support import are_gone, kill

from .support import ended, program, result, runs_of, started, sweep, wait_for

pytestmark = pytest.mark.slow

LOGGING = """
import os, random, sys, time

seed = os.environ["SEED"]
with open("log", "a") as log:
    print(seed, file=log)
with open("pids", "a") as pids:
    print(os.getpid(), file=pids)
if seed == "2" and not os.path.exists("go"):
    print("waiting", flush=True)
    while True:
        time.sleep(0.02)
print("acc", random.random())
"""
"""Notes each of its runs, and does not end under seed 2 before there is a file `go`."""

WORDS = ("--seeds", "4", "--metric", "acc (.*)")


def interrupted(python: Path, place: Path, number: signal.Signals) -> tuple[int, str]:
    """A sweep that gets a signal in its run with seed 2."""
    program(place, LOGGING)
    process = started(python, place, *WORDS)
    try:
        waiting = place / "sweeps/train/run/seed-2/stdout.txt"
        wait_for(lambda: waiting.exists() and waiting.read_text() == "waiting\n")
        status, errors = ended(process, number)
        pids = [int(pid) for pid in (place / "pids").read_text().split()]
        wait_for(lambda: are_gone(pids))
    finally:
        process.kill()
        kill(pid for pid in map(int, (place / "pids").read_text().split()) if not are_gone([pid]))
    return status, errors


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "KILL"])
def test_a_sweep_that_is_killed_goes_on_and_makes_no_run_twice(
    python: Path, tmp_path: Path, name: str
) -> None:
    number = signal.Signals[f"SIG{name}"]
    status, errors = interrupted(python, tmp_path, number)
    assert runs_of(tmp_path) == ["0", "0", "1", "2"]
    if name == "KILL":
        assert (status, errors) == (-9, "")
    else:
        assert status == 128 + number
        assert errors == (
            "seed-init sweep: interrupted; 3 of 5 runs are done and kept in sweeps/train; the same "
            "words go on from there\n"
        )
    (tmp_path / "go").touch()
    done = sweep(python, tmp_path, *WORDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "seed-init sweep: 3 runs were there already in sweeps/train\n"
    # Only what was not over has run again.
    assert runs_of(tmp_path) == ["0", "0", "1", "2", "2", "3"]
    assert [row["status"] for row in result(tmp_path)["runs"]] == [0] * 5
    left = tmp_path / "sweeps/train/unfinished/run-seed-2-1/stdout.txt"
    assert left.read_text() == "waiting\n"


def test_a_sweep_that_is_over_runs_nothing_again(python: Path, tmp_path: Path) -> None:
    program(tmp_path, LOGGING)
    (tmp_path / "go").touch()
    first = sweep(python, tmp_path, *WORDS)
    again = sweep(python, tmp_path, *WORDS)
    assert len(runs_of(tmp_path)) == 5
    assert again.returncode == 0
    assert first.stdout == again.stdout


def test_more_seeds_are_more_runs_and_the_others_are_kept(python: Path, tmp_path: Path) -> None:
    program(tmp_path, LOGGING)
    (tmp_path / "go").touch()
    sweep(python, tmp_path, *WORDS)
    done = sweep(python, tmp_path, "--seeds", "0-5", "--metric", "acc (.*)")
    assert done.returncode == 0, done.stderr
    assert runs_of(tmp_path) == ["0", "0", "1", "2", "3", "4", "5"]
    assert len(result(tmp_path)["runs"]) == 7


def test_a_run_that_failed_is_made_again(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import os, random, sys\n"
        "open('log', 'a').write(os.environ['SEED'] + ' ')\n"
        "if os.environ['SEED'] == '1' and not os.path.exists('go'): sys.exit(3)\n"
        "print('acc', random.random())\n",
    )
    words = ("--seeds", "3", "--no-repeat", "--metric", "acc (.*)")
    assert sweep(python, tmp_path, *words).returncode == 1
    (tmp_path / "go").touch()
    assert sweep(python, tmp_path, *words).returncode == 0
    assert runs_of(tmp_path) == ["0", "1", "2", "1"]
    unfinished = tmp_path / "sweeps/train/unfinished/run-seed-1-1"
    assert json.loads((unfinished / "run.json").read_text())["status"] == 3


def test_two_sweeps_in_one_folder_are_refused(python: Path, tmp_path: Path) -> None:
    program(tmp_path, LOGGING)
    process = started(python, tmp_path, *WORDS)
    try:
        wait_for(lambda: "2" in runs_of(tmp_path))
        done = sweep(python, tmp_path, *WORDS)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"seed-init sweep: another sweep is at work in {tmp_path}/sweeps/train; wait for its "
            "end\n"
        )
        assert runs_of(tmp_path) == ["0", "0", "1", "2"]
    finally:
        ended(process, signal.SIGTERM)


CHANGES = {
    "words": "the command is another one",
    "file": "train.py has changed",
    "module": "helper.py has changed",
    "variable": "DETERMINISM is strict and was not set",
    "commit": "the commit is",
    "tracked": "settings.txt has changed",
}


def git(place: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=place, check=True, capture_output=True)


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_said_and_nothing_runs(
    python: Path, tmp_path: Path, change: str
) -> None:
    program(tmp_path, "import helper, random; print('acc', random.random())")
    (tmp_path / "helper.py").write_text("x = 1\n")
    (tmp_path / "settings.txt").write_text("a")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "helper.py" if change != "module" else "train.py", "settings.txt")
    git(tmp_path, "commit", "-qm", "first")
    words = ("--seeds", "2", "--no-repeat")
    assert sweep(python, tmp_path, *words).returncode == 0
    env: dict[str, str | None] = {}
    command: tuple[Path | str, ...] = (python, "train.py")
    if change == "words":
        command = (*command, "--wide")
        words = (*words, "--name", "train")
    elif change == "file":
        (tmp_path / "train.py").write_text("print('acc', 1)")
    elif change == "module":
        (tmp_path / "helper.py").write_text("x = 2\n")
    elif change == "variable":
        env = {"DETERMINISM": "strict"}
    elif change == "tracked":
        (tmp_path / "settings.txt").write_text("b")
    else:
        git(tmp_path, "commit", "-qm", "second", "--allow-empty")
    before = (tmp_path / "sweeps/train/sweep.json").read_bytes()
    done = sweep(python, tmp_path, *words, env=env, command=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert CHANGES[change] in done.stderr
    assert "--fresh to make every run again" in done.stderr
    assert (tmp_path / "sweeps/train/sweep.json").read_bytes() == before
    fresh = sweep(python, tmp_path, *words, "--fresh", env=env, command=command)
    assert fresh.returncode in (0, 1), fresh.stderr  # a program that prints 1 has no effect of SEED
    assert fresh.stderr == "seed-init sweep: what was there is in sweeps/train.before-1\n"
    assert (tmp_path / "sweeps/train.before-1/sweep.json").read_bytes() == before


def test_a_program_that_was_mended_before_any_run_ended_well_is_no_change(
    python: Path, tmp_path: Path
) -> None:
    program(tmp_path, "prnt('acc', 1)")
    assert sweep(python, tmp_path, "--seeds", "2", "--no-repeat").returncode == 1
    program(tmp_path)
    assert sweep(python, tmp_path, "--seeds", "2", "--no-repeat").returncode == 0


def test_what_the_runs_write_themselves_is_no_change(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import random, sys; open('results.txt', 'a').write('x'); print('acc', random.random())",
    )
    (tmp_path / "results.txt").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    command = (python, "train.py", "results.txt")
    assert sweep(python, tmp_path, "--seeds", "2", command=command).returncode == 0
    done = sweep(python, tmp_path, "--seeds", "3", command=command)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results.txt").read_text() == "x" * 4


def test_code_that_changes_while_the_sweep_goes_on_ends_it(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import os, random\n"
        "print('acc', random.random())\n"
        "if os.environ['SEED'] == '1': open('train.py', 'a').write('# edited\\n')\n",
    )
    done = sweep(python, tmp_path, "--seeds", "4", "--no-repeat")
    assert (done.returncode, done.stdout) == (1, "")
    assert "train.py has changed since the sweep began" in done.stderr
    assert not (tmp_path / "sweeps/train/run/seed-2/run.json").exists()


def test_a_module_that_changes_while_the_sweep_goes_on_ends_it(
    python: Path, tmp_path: Path
) -> None:
    program(
        tmp_path,
        "import helper, os, random\n"
        "print('acc', random.random())\n"
        "if os.environ['SEED'] == '1': open('helper.py', 'a').write('# edited\\n')\n",
    )
    (tmp_path / "helper.py").write_text("x = 1\n")
    edited = sweep(python, tmp_path, "--seeds", "4", "--no-repeat", command=(python, "train.py"))
    assert (edited.returncode, edited.stdout) == (1, "")
    assert "helper.py has changed since the sweep began" in edited.stderr
    assert not (tmp_path / "sweeps/train/run/seed-2/run.json").exists()


def test_what_earlier_seeds_have_written_is_not_written_again(python: Path, tmp_path: Path) -> None:
    program(tmp_path, "import sys; open('log', 'a').write(sys.argv[1] + '\\n'); print('x')")
    command = (python, "train.py", "runs/{seed}")
    for seeds in ("0-2", "1-2"):
        sweep(python, tmp_path, "--seeds", seeds, command=command)
        (tmp_path / "runs").mkdir(exist_ok=True)
        for seed in range(3):
            (tmp_path / f"runs/{seed}").touch()
    expected = ["runs/0", "runs/0-again", "runs/1", "runs/2", "runs/1-again"]
    assert runs_of(tmp_path) == expected


def test_a_plan_of_another_program_is_left_alone(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/plan.json").write_text('{"kind": "holiday"}')
    for words in (("--to", "mine"), ("--to", "mine", "--fresh")):
        done = sweep(python, tmp_path, "--seeds", "2", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is there and is no sweep; give another --to or --name" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["plan.json"]


def test_a_run_whose_output_was_cut_is_made_again(python: Path, tmp_path: Path) -> None:
    """As where a disk is full."""
    program(
        tmp_path,
        "import random; print('acc', 1)\nprint('x' * 400_000)\nprint('acc', random.random())",
    )
    words = ("-m", "seed_init", "sweep", "--seeds", "2", "--no-records", "--metric", "acc (.*)")
    limited = ("--fsize=300000", python, *words, "--", python, "train.py")
    cut = run(Path("/usr/bin/prlimit"), *limited, cwd=tmp_path)
    assert cut.returncode == 1
    assert "was lost: " in cut.stderr
    assert "stdout.txt is not complete: File too large" in cut.stderr
    assert result(tmp_path)["statistics"]["acc"]["run"]["n"] == 0
    done = sweep(python, tmp_path, "--seeds", "2", "--no-records", "--metric", "acc (.*)")
    assert done.returncode == 0, done.stderr
    assert result(tmp_path)["statistics"]["acc"]["run"]["n"] == 2


def test_a_folder_that_is_no_sweep_is_left_alone(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("the user's")
    for words in (("--to", "mine"), ("--to", "mine", "--fresh"), ("--to", "train.py")):
        done = sweep(python, tmp_path, "--seeds", "2", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is there and is no sweep; give another --to or --name" in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine", "train.py"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        # It may be another program's, and is left as it is.
        ("{", "is there and is no sweep"),
        ("[]", "is there and is no sweep"),
        ('{"kind": "sweep-plan"', "is damaged: it is not JSON"),
        ('{"kind": "sweep-plan", "format": 2}', "has another format"),
        ('{"kind": "sweep-plan", "format": 1}', "is damaged"),
    ],
)
def test_a_plan_that_is_damaged_is_said_to_be(
    python: Path, tmp_path: Path, content: str, reason: str
) -> None:
    program(tmp_path)
    (tmp_path / "sweeps/train").mkdir(parents=True)
    (tmp_path / "sweeps/train/plan.json").write_text(content)
    done = sweep(python, tmp_path, "--seeds", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_result_of_a_run_that_is_damaged_is_made_again(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    sweep(python, tmp_path, "--seeds", "2")
    file = tmp_path / "sweeps/train/run/seed-1/run.json"
    file.write_text(file.read_text()[:40])
    done = sweep(python, tmp_path, "--seeds", "2")
    assert done.returncode == 0
    assert "2 runs were there already" in done.stderr
    assert json.loads(file.read_text())["status"] == 0


def test_one_run_can_be_made_by_its_place(python: Path, tmp_path: Path) -> None:
    """As a job of an engine makes it, on whatever machine."""
    program(tmp_path)
    sweep(python, tmp_path, "--seeds", "3")
    folder = tmp_path / "sweeps/train"
    shutil.rmtree(folder / "run/seed-1")
    words = ("-m", "seed_init", "sweep", "one", folder)
    done = run(python, *words, "2")
    assert (done.returncode, done.stdout) == (0, "")
    told = f"seed-init sweep: the run of seed 1 has ended well: {folder}/run/seed-1\n"
    assert done.stderr == told
    assert (folder / "run/seed-1/run.json").is_file()
    assert run(python, *words, "2").stderr == told
    for index, reason in (("9", "give a number from 0 to 3"), ("x", "is no run of this sweep")):
        refused = run(python, *words, index)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert reason in refused.stderr
