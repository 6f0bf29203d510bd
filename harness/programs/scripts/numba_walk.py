"""Walk at random in compiled code; np.random in there is Numba's own generator."""

import json

import numba
import numpy as np


@numba.njit
def walk(steps):
    place = np.zeros(2)
    for _ in range(steps):
        place[np.random.randint(0, 2)] += np.random.normal()
    return place


ends = [walk(1000).tolist() for _ in range(20)]
print(json.dumps({"result": ends}))
