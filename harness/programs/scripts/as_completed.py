"""Average what the processes of a pool deliver, in the order in which they are done."""

import json
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np


def simulate(number):
    steps = np.random.default_rng().standard_normal(20_000)
    return number, float(steps.cumsum().max())


if __name__ == "__main__":
    with ProcessPoolExecutor(max_workers=2) as pool:
        tasks = [pool.submit(simulate, number) for number in range(12)]
        arrived = [task.result() for task in as_completed(tasks)]
    average = 0.0
    for _, value in arrived:
        average = 0.9 * average + 0.1 * value
    values = [value for _, value in arrived]
    print(json.dumps({"result": {"arrived": arrived, "average": average}, "repeats": values}))
