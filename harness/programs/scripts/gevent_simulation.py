"""Simulate three clients with greenlets; the standard library is patched to cooperate."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import random  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402

log = []
first = {}


def client(name):
    patience = random.Random()
    sizes = np.random.default_rng()
    first[name] = [patience.random(), sizes.random()]
    for _ in range(10):
        log.append([name, patience.expovariate(1.0), float(sizes.lognormal()), random.random()])
        time.sleep(0)


threads = [threading.Thread(target=client, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
workers = [value for name in sorted(first) for value in first[name]]
print(json.dumps({"result": log, "workers": workers}))
