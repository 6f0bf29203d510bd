"""Hand each task of a process pool a generator of its own, as NumPy's documentation advises.

With a generator a task, it does not matter which worker gets which task.
"""

import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np


def integrate(generator):
    first = generator.random()
    points = generator.random(10_000)
    return first, float(np.exp(-(points**2)).mean())


if __name__ == "__main__":
    generators = np.random.default_rng().spawn(6)
    with ProcessPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(integrate, generators))
    print(json.dumps({"result": answers, "workers": [first for first, _ in answers]}))
