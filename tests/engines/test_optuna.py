"""Trials of Optuna have streams of their own, by study and number, whichever process runs them."""

import json
import subprocess
from pathlib import Path

import pytest

from harness.processes import environment_of, output

WORKER = """
import optuna, random, sys, time
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="s", storage=sys.argv[1])
def objective(trial):
    x, y = trial.suggest_float("x", -5, 5), random.random()
    trial.set_user_attr("y", y)
    time.sleep(0.3)
    return x * x + y
study.optimize(objective, n_trials=5)
"""
MAKE = "import optuna, sys; optuna.create_study(study_name='s', storage=sys.argv[1])"
TELL = """
import json, optuna, sys
study = optuna.load_study(study_name="s", storage=sys.argv[1])
print(json.dumps([[each.params["x"], each.user_attrs["y"]] for each in study.trials]))
"""


def trials(python: Path, file: Path, seed: str, **env: str) -> list[list[float]]:
    """What two processes on one study have drawn, in the order of the trials' numbers."""
    storage = f"sqlite:///{file}"
    output(python, "-c", MAKE, storage, env={"SEED": seed, **env})
    environment = environment_of(python, {"SEED": seed, **env})
    command = [str(python), "-c", WORKER, storage]
    both = [subprocess.Popen(command, env=environment) for _ in "12"]
    assert [each.wait() for each in both] == [0, 0]
    told: list[list[float]] = json.loads(
        output(python, "-c", TELL, storage, env={"SEED_INIT": "0"}).splitlines()[-1]
    )
    return told


@pytest.mark.shows("Optuna", "runs", "alike", "seed", "control")
@pytest.mark.most_used
def test_two_processes_on_one_study_run_ten_distinct_trials(python: Path, tmp_path: Path) -> None:
    first, second = (trials(python, tmp_path / name, "7") for name in ("a.db", "b.db"))
    assert len({x for x, _ in first}) == len({y for _, y in first}) == 10
    assert first == second
    other = trials(python, tmp_path / "c.db", "8")
    free = trials(python, tmp_path / "d.db", "7", SEED_INIT="0")
    assert not {x for x, _ in first} & {x for x, _ in other + free}
