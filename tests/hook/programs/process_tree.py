"""Make a tree of processes in many ways; print as JSON the path of each and whether it was seeded.

usage: process_tree.py N: what is made follows from N.
"""

import json
import multiprocessing
import os
import random
import subprocess
import sys
import threading

import numpy

import seed_init
from seed_init.hook import state, streams

choose = random.Random(int(sys.argv[1])).choice
reading, writing = os.pipe()
kept = []


def tell():
    """What this process draws first is what its documented path gives."""
    value = streams.derive(state.job_seed(), state.path)
    random_is_right = random.random() == random.Random(value).random()
    numpy_is_right = numpy.random.rand() == numpy.random.RandomState(value).rand()
    line = json.dumps([list(state.path), state.job_seed(), random_is_right, numpy_is_right])
    os.write(writing, f"{line}\n".encode())


def live(depth):
    tell()
    if depth < 3:
        grow(depth, 3)


def fork(depth):
    child = os.fork()
    if child == 0:
        live(depth + 1)
        os._exit(0)
    os.waitpid(child, 0)


def process(depth):
    child = multiprocessing.get_context("fork").Process(target=live, args=(depth + 1,))
    child.start()
    child.join()


def forking_thread(depth):
    thread = threading.Thread(target=fork, args=(depth,))
    thread.start()
    thread.join()


def generator(_):
    kept.append((numpy.random.default_rng(), random.Random()))


def other_program(_):
    subprocess.run(["true"], preexec_fn=os.getpid)


def reseed(_):
    seed_init.reseed(int(choose(range(1000))))


def grow(depth, steps):
    for _ in range(steps):
        choose([fork, fork, fork, process, forking_thread, generator, other_program, reseed])(depth)


if __name__ == "__main__":
    grow(0, 8)
    os.close(writing)
    with os.fdopen(reading) as lines:
        print(json.dumps([json.loads(line) for line in lines]))
