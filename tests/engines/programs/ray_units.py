"""Draws in each unit of work that Ray has, and prints what was drawn as JSON.

    python ray_units.py ADDRESS

ADDRESS is that of a cluster, or "local".
"""

import json
import logging
import random
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

import numpy
import ray


def draws():
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), numpy.random.rand(), *made]


def connect(address):
    where = {"address": address}
    if address == "local":
        where = {"num_cpus": 1, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    ray.init(log_to_driver=True, logging_level=logging.ERROR, **where)


@ray.remote(num_cpus=1)
def task(*parts, **more):
    assert set(more) <= {"word"}, more
    return draws()


@ray.remote(num_cpus=1)
def bare():
    return draws()


@ray.remote(num_cpus=0)
def outer():
    return [draws(), *ray.get([task.remote(), bare.remote()])]


@ray.remote(num_cpus=1)
def stream():
    for _ in range(3):
        yield draws()


@ray.remote(num_cpus=1, max_retries=2, retry_exceptions=True)
def flaky(directory):
    drawn = draws()
    path = Path(directory, "first")
    if not path.exists():
        path.write_text(json.dumps(drawn))
        raise OSError("again")
    return [json.loads(path.read_text()), drawn]


@ray.remote(num_cpus=0)
class Actor:
    def __init__(self):
        self.first = draws()
        self.rng = numpy.random.default_rng()

    def constructed(self):
        return self.first

    def get(self):
        return draws()

    def own(self):
        return [self.rng.random()]

    def numbers(self):
        for _ in range(2):
            yield draws()

    def nested(self):
        return ray.get(bare.remote())


@ray.remote(num_cpus=0)
class Seeding:
    def __init__(self):
        random.seed(5)

    def get(self):
        return draws()


@ray.remote(num_cpus=0)
class Async:
    def __init__(self):
        self.first = draws()

    async def get(self):
        return [self.first, draws()]


@ray.remote(num_cpus=0, max_concurrency=2)
class Threaded:
    def __init__(self):
        self.first = draws()

    def get(self):
        drawn = draws()
        time.sleep(0.1)
        return drawn


@ray.remote(num_cpus=0)
def caller(actor):
    return ray.get([actor.get.remote(), actor.get.remote()])


@ray.remote(num_cpus=0)
def status():
    import seed_init

    told = seed_init.status()
    return [told["unit"], told["seed"]]


def drawn():
    told = {"driver": [draws()]}
    told["tasks"] = ray.get([task.remote(number, word="x") for number in range(6)])
    told["without arguments"] = ray.get([bare.remote() for _ in range(6)])
    told["options"] = ray.get([bare.options(name="x", num_cpus=1).remote() for _ in range(2)])
    told["nested"] = [*chain(*ray.get([outer.remote() for _ in range(2)]))]
    told["generators"] = ray.get([*stream.remote(), *stream.options(num_cpus=1).remote()])
    actors = [Actor.remote() for _ in range(3)]
    told["constructors"] = ray.get([actor.constructed.remote() for actor in actors])
    told["calls"] = ray.get([actor.get.remote() for _ in range(2) for actor in actors])
    told["own generators"] = ray.get([actor.own.remote() for actor in actors])
    told["own generators, again"] = ray.get([actor.own.remote() for actor in actors])
    told["generators of actors"] = ray.get([x for actor in actors for x in actor.numbers.remote()])
    told["tasks of actors"] = ray.get([actor.nested.remote() for actor in actors])
    told["calls from tasks"] = [*chain(*ray.get([caller.remote(actors[0]) for _ in range(2)]))]
    told["closures"] = [ray.get(actors[0].__ray_call__.remote(lambda self: draws()))]
    several = [Async.remote() for _ in range(2)]
    told["async"] = [*chain(*[ray.get(actor.get.remote()) for actor in several])]
    several = [Threaded.remote() for _ in range(2)]
    threaded = [ray.get([actor.get.remote() for _ in range(4)]) for actor in several]
    # The threads share the default generators.
    told["threaded"] = [each[2:] for each in chain(*threaded)]
    return told


def main():
    connect(sys.argv[1])
    told = {"drawn": drawn()}
    with tempfile.TemporaryDirectory() as directory:
        told["retried"] = ray.get(flaky.remote(directory))
    seeding = Seeding.remote()
    told["seeded"] = ray.get([seeding.get.remote() for _ in range(3)])
    told["status"] = (
        ray.get([status.remote() for _ in range(2)]) if "--status" in sys.argv else None
    )
    told["driver"] = random.random()
    print(json.dumps(told))


main()
