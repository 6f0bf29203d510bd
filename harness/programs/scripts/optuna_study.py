"""Tune two parameters of a function with Optuna's default sampler, in memory."""

import json

import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)


def objective(trial: optuna.Trial) -> float:
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    kind = trial.suggest_categorical("kind", ["adam", "sgd"])
    width = trial.suggest_int("width", 4, 64)
    return (rate - 0.1) ** 2 + abs(width - 32) / 100 + (0.05 if kind == "sgd" else 0.0)


study = optuna.create_study()
study.optimize(objective, n_trials=25)
trials = [[trial.params, trial.value] for trial in study.trials]
print(json.dumps({"result": {"best": study.best_value, "trials": trials}}))
