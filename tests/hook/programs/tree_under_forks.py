"""Print as JSON what workers draw that are made by two children of a bare fork.

usage: tree_under_forks.py START_METHOD
"""

import json
import multiprocessing
import os
import random
import sys


def show(queue):
    queue.put(random.random())


def drawn_by_worker():
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.SimpleQueue()
    process = context.Process(target=show, args=(queue,))
    process.start()
    process.join()
    return queue.get()


if __name__ == "__main__":
    told = []
    for _ in range(2):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, json.dumps(drawn_by_worker()).encode())
            os._exit(0)
        os.wait()
        told.append(json.loads(os.read(reading, 1000)))
    print(json.dumps([*told, drawn_by_worker()]))
