"""Sample in three processes of a fork server, and gather the samples in a queue."""

import json
import multiprocessing
import random

import numpy as np


def sample(number, queue):
    generator = np.random.default_rng()
    first = [generator.random(), np.random.rand(), random.random()]
    queue.put((number, first, generator.standard_normal(5).tolist(), random.sample(range(99), 5)))


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    queue = context.SimpleQueue()
    processes = [context.Process(target=sample, args=(number, queue)) for number in range(3)]
    for process in processes:
        process.start()
    samples = sorted(queue.get() for _ in processes)
    for process in processes:
        process.join()
    workers = [value for _, first, _, _ in samples for value in first]
    print(json.dumps({"result": samples, "workers": workers}))
