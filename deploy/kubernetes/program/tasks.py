"""Ask Ray for the numbers of some tasks: what rayjob.yaml runs.

Put your own program in its place. A task draws the same numbers whichever worker it runs in.
"""

import random

import ray


@ray.remote
def draw(number: int) -> tuple[int, float]:
    """Return the task's number, and what it draws."""
    return number, random.random()


ray.init()
for task, drawn in ray.get([draw.remote(number) for number in range(8)]):
    print(f"task {task}: {drawn:.6f}")
