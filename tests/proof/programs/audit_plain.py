"""What an audit finds in a program without PyTorch; each comment says what on its line."""

# ruff: noqa: PTH207, PTH208

import os
import random
import secrets
import time
import uuid
from datetime import date, datetime
from glob import glob
from pathlib import Path

import numpy as np


def generators() -> None:
    np.random.default_rng()  # finds unseeded 1 np.random.default_rng()
    for _ in range(3):
        np.random.RandomState()  # finds unseeded 3 np.random.RandomState()
    np.random.seed(None)  # finds unseeded 1 np.random.seed()
    np.random.RandomState(4)
    random.Random()  # finds unseeded 1 random.Random()
    random.seed()  # finds unseeded 1 random.seed()


def seeds() -> None:
    for seed in range(5):
        random.seed(seed)  # finds reseeding 5 random.seed
    np.random.seed(1)  # finds reseeding 1 numpy.random.seed


def listings(place: Path) -> None:
    for _ in os.listdir(place):  # finds listing 1 os.listdir
        pass
    names = os.listdir(place)  # finds listing 1 os.listdir
    print(names[0], sorted(names))
    with os.scandir(place) as entries:  # finds listing 1 os.scandir
        print([entry.name for entry in entries])
    for _ in range(2):
        print(list(place.iterdir()))  # finds listing 2 Path.iterdir
    print(glob(f"{place}/*"))  # finds listing 1 glob.glob
    for _ in place.glob("*"):  # finds listing 1 Path.glob
        pass
    for _, directories, files in os.walk(place):  # finds listing 1 os.walk
        directories.sort()
        print(files)
    found = [path for path in place.rglob("*")]  # finds listing 1 Path.rglob
    print(found)


class Timer:
    clock = time.perf_counter


def clocks() -> None:
    Timer().clock()  # finds clock 1 time.perf_counter
    for _ in range(10):
        time.time()  # finds clock 10 time.time
    datetime.now()  # finds clock 1 datetime.datetime.now
    date.today()  # finds clock 1 datetime.date.today
    time.localtime()  # finds clock 1 time.localtime
    time.localtime(0)


def entropy() -> None:
    os.urandom(8)  # finds entropy 1 os.urandom
    uuid.uuid4()  # finds entropy 1 uuid.uuid4
    uuid.uuid1()  # finds entropy 1 uuid.uuid1
    secrets.token_hex()  # finds entropy 1 secrets.token_hex
    for _ in range(7):
        secrets.choice(range(5))  # finds entropy 7 secrets.choice


def child() -> None:
    """A forked child that ends past every exit function."""
    pid = os.fork()
    if pid == 0:
        for _ in range(11):
            time.monotonic()  # finds clock 11 time.monotonic
        os._exit(0)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    generators()
    seeds()
    listings(Path(__file__).parent)
    clocks()
    entropy()
    child()
