"""Five trials of a study that other processes work on as well: optuna_study.py FILE."""

import random
import sys
import time

import optuna


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -5, 5)
    trial.set_user_attr("drawn", random.random())
    time.sleep(0.1)
    return x * x


optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="s", storage=f"sqlite:///{sys.argv[1]}")
study.optimize(objective, n_trials=5)
