"""Estimate pi in two loky workers by joblib, each with its own unseeded generator."""

import json
import multiprocessing

import numpy as np
from joblib import Parallel, delayed


def estimate(barrier):
    # One task a worker: nobody is done before all have begun. Which worker takes which task is
    # scheduling, so the estimates are sorted.
    barrier.wait(60)
    generator = np.random.default_rng()
    first = generator.random()
    points = generator.random((10_000, 2))
    return 4 * float(((points**2).sum(axis=1) < 1).mean()), first + np.random.rand()


if __name__ == "__main__":
    with multiprocessing.Manager() as manager:
        barrier = manager.Barrier(2)
        answers = sorted(Parallel(n_jobs=2)(delayed(estimate)(barrier) for _ in range(2)))
    estimates, first = zip(*answers)
    print(json.dumps({"result": answers, "workers": first}))
