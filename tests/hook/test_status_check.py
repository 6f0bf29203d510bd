"""`seed-init status --check`: proves in a fresh process that what status says holds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import Completed, run
from harness.repository import REPOSITORY

from .support import write_defaults

LIBRARIES = "random, numpy, torch draw in a fresh process what seeding by hand with"


def check(python: Path, *words: str, **env: str | None) -> Completed:
    return run(python, "-m", "seed_init", "status", "--check", *words, env=env)


def failure(done: Completed) -> str:
    """The one line of a check that failed; what status prints is on stdout all the same."""
    assert done.returncode == 1, done
    assert done.stdout.startswith("seed-init ") and "\nchecked: " not in done.stdout
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("seed-init status: ")
    return done.stderr.removeprefix("seed-init status: ").rstrip("\n")


# --- what passes ----------------------------------------------------------------------------


@pytest.mark.torch
def test_it_prints_the_status_and_what_it_compared(python: Path) -> None:
    done = check(python, SEED="7", DETERMINISM="strict")
    assert (done.returncode, done.stderr) == (0, "")
    shown = run(python, "-m", "seed_init", "status", env={"SEED": "7", "DETERMINISM": "strict"})
    proof = f"torch has the flags of its settings; {LIBRARIES} 7 gives"
    assert done.stdout == f"{shown.stdout}\nchecked: {proof}\n"


@pytest.mark.torch
def test_json_has_it_too(python: Path) -> None:
    done = check(python, "--json", SEED="7")
    state = json.loads(done.stdout)
    assert (done.returncode, done.stderr, state["hook"]) == (0, "", "active")
    assert state["checked"].endswith(f"{LIBRARIES} 7 gives")


@pytest.mark.torch
def test_a_drawn_seed_is_the_one_that_is_compared(python: Path) -> None:
    done = check(python, "--json", SEED="random", SEED_INIT_LOG="quiet")
    state = json.loads(done.stdout)
    assert done.returncode == 0, done
    assert state["checked"].endswith(f" with {state['seed']} gives")


@pytest.mark.torch
def test_a_distinct_rank_and_a_restart_are_compared_with_the_seed_that_they_have(
    python: Path,
) -> None:
    env = {"SEED": "7", "SEED_INIT_RANKS": "distinct", "RANK": "1", "SEED_INIT_RESTART": "2"}
    state = json.loads(check(python, "--json", **env).stdout)
    assert state["checked"].endswith(f" with {state['seed']} gives") and state["seed"] != 7


@pytest.mark.torch
@pytest.mark.parametrize("env", [{"SEED": "off"}, {}], ids=["SEED=off", "no SEED"])
def test_without_a_seed_the_flags_that_were_asked_for_are_compared(
    python: Path, env: dict[str, str]
) -> None:
    done = check(python, DETERMINISM="strict", **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "\nchecked: torch has the flags of its settings; "
        "no number to compare, because SEED is off or not set\n"
    )


# --- what fails -----------------------------------------------------------------------------


def test_it_fails_where_nothing_is_asked_for(python: Path) -> None:
    assert failure(check(python, SEED="off")) == (
        "SEED=off and no DETERMINISM: nothing is asked for; set one of them"
    )
    assert failure(check(python)).endswith("nothing is seeded; set SEED")
    assert failure(check(python, SEED="7", SEED_INIT="0")) == "SEED_INIT=0: nothing is seeded"


def test_it_fails_where_the_hook_did_not_run(bare: Path, fresh: Callable[[str], Path]) -> None:
    package = REPOSITORY / "seed_init"
    done = run(bare, package, "status", "--check", env={"SEED": "7"})
    assert "run 'seed-init install'" in failure(done)
    python = fresh("hooked")
    write_defaults(python.parent.parent, "SEED=7\n")
    done = run(python, "-S", "-m", "seed_init", "status", "--check")
    assert "run 'seed-init install'" in failure(done)


@pytest.mark.torch
def test_it_fails_for_what_is_not_covered(python: Path) -> None:
    done = check(python, SEED="7", PYTHONHASHSEED=None)
    assert done.returncode == 1
    assert done.stderr.startswith("seed-init status: PYTHONHASHSEED is not in effect: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("random", "import random; random.random()"),
        ("numpy", "import numpy; numpy.random.rand()"),
        ("torch", "import torch; torch.rand(1)"),
    ],
)
def test_it_fails_where_something_draws_before_user_code(
    python: Path, tmp_path: Path, name: str, draw: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(draw)
    env = {"PYTHONPATH": str(tmp_path), "SEED": "7", "SEED_INIT_LOG": "quiet"}
    line = failure(check(python, **env))
    assert line.startswith(f"a fresh {python} draws 0.") and f" from {name} instead of 0." in line
    assert line.count(" instead of ") == 1


@pytest.mark.torch
def test_it_fails_where_something_sets_a_flag_before_user_code(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import torch; torch.use_deterministic_algorithms(False)"
    )
    env = {"PYTHONPATH": str(tmp_path), "SEED": "7", "DETERMINISM": "strict"}
    assert failure(check(python, SEED_INIT_LOG="quiet", **env)) == (
        f"a fresh {python} has TORCH_DETERMINISTIC_ALGORITHMS 0 instead of 1: "
        "something sets it after the hook"
    )


def test_it_names_why_a_fresh_python_ends(python: Path, tmp_path: Path) -> None:
    package = tmp_path / "numpy"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libfoo.so: cannot open')")
    line = failure(check(python, PYTHONPATH=str(tmp_path), SEED="7"))
    assert line == f"a fresh {python} ended with status 1: OSError: libfoo.so: cannot open"
