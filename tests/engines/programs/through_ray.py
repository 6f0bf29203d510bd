"""A task and an actor of Ray on a cluster that runs; the argument is its address."""

import json
import os
import random
import sys

import ray

ray.init(sys.argv[1], log_to_driver=False, runtime_env={"env_vars": {"USERS": "own"}})


@ray.remote
def draw() -> tuple[float, str | None]:
    return random.random(), os.environ.get("USERS")


@ray.remote
class Actor:
    def __init__(self) -> None:
        self.first = random.random()

    def draw(self) -> list[float]:
        return [self.first, random.random()]


actor = Actor.remote()
print(json.dumps(ray.get([draw.remote(), draw.remote(), actor.draw.remote()])))
