"""Bootstrap a mean in a pool of three forked workers, with the generators of the modules."""

import json
import multiprocessing
import random

import numpy as np

VALUES = np.sqrt(np.arange(1000))


def prepare(shared):
    global barrier
    barrier = shared


def bootstrap(_):
    # One task a worker: nobody is done before all have begun. Which worker takes which task is
    # scheduling, so the answers are sorted.
    barrier.wait(60)
    first = [np.random.rand(), random.random()]
    means = [np.random.choice(VALUES, len(VALUES)).mean() for _ in range(50)]
    return first, float(np.mean(means)), random.sample(range(1000), 5)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    # What the parent has drawn before must not matter to the workers.
    shuffled = np.random.permutation(VALUES)
    with context.Pool(3, prepare, (context.Barrier(3),)) as pool:
        answers = sorted(pool.map(bootstrap, range(3), chunksize=1))
    workers = [value for first, _, _ in answers for value in first]
    result = {"answers": answers, "shuffled": shuffled[:10].tolist(), "after": random.random()}
    print(json.dumps({"result": result, "workers": workers}))
