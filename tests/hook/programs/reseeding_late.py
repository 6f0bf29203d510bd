"""Have a fork server running, reseed, and print what its next child has for a seed.

usage: reseeding_late.py WHEN; `early` reseeds before the server is started as well
"""

import multiprocessing
import sys

import seed_init


def show():
    print(seed_init.seed(), flush=True)


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    if sys.argv[1] == "early":
        seed_init.reseed(8)
    for _ in range(2):
        process = context.Process(target=show)
        process.start()
        process.join()
        seed_init.reseed(8)
