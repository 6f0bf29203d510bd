"""Reseed where a seed is given, then print what a child made by a start method draws.

usage: reseeding.py START_METHOD [SEED]
"""

import multiprocessing
import random
import sys

import seed_init


def show():
    print(seed_init.seed(), random.random(), flush=True)


if __name__ == "__main__":
    if sys.argv[2:]:
        seed_init.reseed(int(sys.argv[2]))
    process = multiprocessing.get_context(sys.argv[1]).Process(target=show)
    process.start()
    process.join()
