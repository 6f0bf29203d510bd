"""Sample in four threads, each with a generator of its own; NumPy's are not to be shared."""

import json
import random
import threading

import numpy as np

COUNT = 4
samples = [None] * COUNT


def sample(number):
    # Of different lengths, so that the threads do not come to their generators in order.
    total = sum(range((COUNT - number) * 200_000))
    generator, coins = np.random.default_rng(), random.Random()
    first = [generator.random(), coins.random()]
    samples[number] = (first, generator.standard_normal(100).sum().item(), coins.randrange(total))


threads = [threading.Thread(target=sample, args=(number,)) for number in range(COUNT)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
workers = [value for first, _, _ in samples for value in first]
print(json.dumps({"result": samples, "workers": workers}))
