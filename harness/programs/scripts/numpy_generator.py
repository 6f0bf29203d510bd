"""Price an option by Monte Carlo and bootstrap its error, with unseeded NumPy generators."""

import json

import numpy as np

paths = np.random.default_rng()
steps = paths.normal(loc=0.0002, scale=0.01, size=(2000, 60))
payoff = np.maximum(100 * np.exp(steps.sum(axis=1)) - 100, 0)

resampling = np.random.default_rng()
means = [float(resampling.choice(payoff, size=len(payoff)).mean()) for _ in range(100)]

legacy = np.random.RandomState()
split = legacy.permutation(50)

children = np.random.SeedSequence().spawn(3)
streams = [np.random.Generator(np.random.PCG64DXSM(child)) for child in children]
result = {
    "price": float(payoff.mean()),
    "error": float(np.std(means)),
    "split": split.tolist(),
    "streams": [float(stream.random()) for stream in streams],
}
print(json.dumps({"result": result}))
