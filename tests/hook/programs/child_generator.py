"""Print what the first unnamed generator gives in a child of a parent that has made one.

usage: child_generator.py START_METHOD
"""

import multiprocessing
import sys

import seed_init


def show():
    print(seed_init.generator().initial_seed(), flush=True)


if __name__ == "__main__":
    seed_init.generator()
    process = multiprocessing.get_context(sys.argv[1]).Process(target=show)
    process.start()
    process.join()
