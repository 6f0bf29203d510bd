"""Fork as a server does, and have each child answer through a pipe."""

import json
import os
import random

import numpy as np

generator = np.random.default_rng()
answers = []
for _ in range(3):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        drawn = [random.random(), np.random.rand(), np.random.default_rng().random()]
        os.write(writing, json.dumps(drawn).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answers.append(json.load(pipe))
    os.waitpid(child, 0)
workers = [value for answer in answers for value in answer]
print(json.dumps({"result": [*answers, generator.random(), random.random()], "workers": workers}))
