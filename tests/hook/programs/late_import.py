"""Print as JSON what NumPy draws in two workers and here, imported by each for itself."""

import json
import multiprocessing


def draw(queue):
    import numpy

    queue.put(float(numpy.random.rand()))


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    told = []
    for _ in range(2):
        process = context.Process(target=draw, args=(queue,))
        process.start()
        process.join()
        told.append(queue.get())
    draw(queue)
    print(json.dumps([*told, queue.get()]))
