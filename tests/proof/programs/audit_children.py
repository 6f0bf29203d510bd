"""Children of multiprocessing and its copies, in pairs that draw alike, or not.

usage: audit_children.py START_METHOD PACKAGES CASES    (words with commas between)
"""

import functools
import importlib
import os
import random
import sys

import numpy as np

METHOD, PACKAGES, CASES = sys.argv[1:]
shared = np.random.default_rng(0)
unused = random.Random(0)
unseeded = np.random.default_rng()


def draw():
    return [random.random(), np.random.rand(), unseeded.random()]


def draw_held(choice, noise):
    return [choice.random(), noise["train"].rand(), shared.random()]


def draw_seeded(number):
    """What makes a worker no clone of its siblings."""
    random.seed(number)
    np.random.seed(number)
    unseeded.bit_generator.advance(number << 64)
    return draw()


def begin_alike(meeting, _):
    global barrier, own
    barrier, own = meeting, random.Random(5)
    random.seed(0)


def begin_apart(meeting, numbers):
    global barrier, own
    number = numbers.get()
    barrier, own = meeting, random.Random(number)
    random.seed(number)


def task(_):
    random.random(), own.random()
    barrier.wait(60)  # one task in each worker


def task_that_seeds(_):
    """A task that is to repeat does so on purpose."""
    random.seed(1)
    random.random()
    barrier.wait(60)


def in_processes(there, target, *arguments):
    for one in arguments:
        process = there.Process(target=target, args=one)
        process.start()
        process.join()
        assert process.exitcode == 0


def in_pool(there, initializer, task):
    numbers = there.SimpleQueue()
    for number in range(2):
        numbers.put(number)
    pool = there.Pool(2, initializer, (there.Barrier(2), numbers))
    pool.map(task, range(2), chunksize=1)
    pool.terminate()
    pool.join()


def held(there):
    target = functools.partial(draw_held, random.Random(1))
    in_processes(there, target, *[({"train": np.random.RandomState(2)},)] * 2)


def untouched(there):
    in_processes(there, draw, (), ())


def seeded(there):
    in_processes(there, draw_seeded, (1,), (2,))


def draw_or_not(choice, draws):
    return choice.random() if draws else None


def alone(there):
    """Only one of two draws from what both have."""
    choice = random.Random(type(there).__module__)
    in_processes(there, draw_or_not, (choice, True), (choice, False))


def alike(there):
    in_pool(there, begin_alike, task)


def apart(there):
    in_pool(there, begin_apart, task)


def repeating(there):
    in_pool(there, begin_apart, task_that_seeds)


if __name__ == "__main__":
    for package in PACKAGES.split(","):
        for case in CASES.split(","):
            globals()[case](importlib.import_module(package).get_context(METHOD))
    sys.stdout.flush()
    os._exit(0)  # billiard's threads keep some programs from ending
