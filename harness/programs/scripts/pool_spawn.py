"""Walk at random in a pool of two spawned workers, each of which makes a generator."""

import json
import multiprocessing
import random

import numpy as np


def prepare(shared):
    global barrier, generator, coins
    barrier, generator, coins = shared, np.random.default_rng(), random.Random()


def walk(_):
    # One task a worker: nobody is done before all have begun. Which worker takes which task is
    # scheduling, so the walks are sorted.
    barrier.wait(60)
    first = [generator.random(), coins.random(), random.random()]
    steps = generator.choice([-1, 1], size=1000)
    return first, int(steps.sum()), [coins.randrange(6) for _ in range(10)]


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, prepare, (context.Barrier(2),)) as pool:
        answers = sorted(pool.map(walk, range(2), chunksize=1))
    workers = [value for first, _, _ in answers for value in first]
    print(json.dumps({"result": answers, "workers": workers}))
