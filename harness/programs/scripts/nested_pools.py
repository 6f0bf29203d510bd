"""Two processes, each with a process pool of its own: a sweep over models with inner folds."""

import json
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor

import numpy as np


def prepare(shared):
    global barrier
    barrier = shared


def fold(_):
    # One task a worker: nobody is done before all have begun. Which worker takes which task is
    # scheduling, so the folds are sorted.
    barrier.wait(60)
    return [random.random(), np.random.rand(), np.random.default_rng().random()]


def model(number, queue):
    own = np.random.default_rng().random()
    meeting = multiprocessing.Barrier(2)
    with ProcessPoolExecutor(2, initializer=prepare, initargs=(meeting,)) as pool:
        queue.put((number, own, sorted(pool.map(fold, range(2)))))


if __name__ == "__main__":
    queue = multiprocessing.SimpleQueue()
    processes = [multiprocessing.Process(target=model, args=(number, queue)) for number in range(2)]
    for process in processes:
        process.start()
    models = sorted(queue.get() for _ in processes)
    for process in processes:
        process.join()
    workers = [value for _, own, folds in models for value in [own, *folds[0], *folds[1]]]
    print(json.dumps({"result": models, "workers": workers}))
