"""Jobs that draw, and a program that enqueues them, in the Redis at the socket RQ_SOCKET."""

import json
import os
import random
import time
from pathlib import Path

import numpy
from redis import Redis
from rq import Queue, Repeat, Retry


def draws():
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), float(numpy.random.rand()), *map(float, made)]


def draw(*_):
    return draws()


def retried(file):
    told, first = draws(), Path(file)
    if not first.exists():
        first.write_text(json.dumps(told))
        raise OSError("try again")
    return [told, json.loads(first.read_text())]


def wait(jobs):
    until = time.monotonic() + 120
    while not all(job.is_finished for job in jobs):
        assert time.monotonic() < until, [job.get_status() for job in jobs]
        time.sleep(0.05)
    return [job.return_value() for job in jobs]


def main():
    """What each job has drawn, and what the program itself drew before and after."""
    before, socket = draws(), os.environ["RQ_SOCKET"]
    queue = Queue(connection=Redis(unix_socket_path=socket))
    jobs = [queue.enqueue(draw, number) for number in range(6)]
    again = queue.enqueue(retried, f"{socket}-first", retry=Retry(max=2))
    repeated = queue.enqueue(draw, repeat=Repeat(times=1))
    told = wait([*jobs, again])
    while len(repeated.results()) < 2:
        time.sleep(0.05)
    return {
        "jobs": told[:-1],
        "retried": told[-1],
        "repeated": [result.return_value for result in reversed(repeated.results())],
        "program": [before, draws()],
    }
