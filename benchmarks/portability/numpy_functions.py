# SPDX-License-Identifier: Apache-2.0
"""A program of its own: times functions of NumPy, and prints the seconds of each call as JSON."""

import json
import time

import numpy as np

CALLS = 15


def main() -> None:
    generator = np.random.default_rng(0)
    matrix = generator.random((1000, 1000))
    vector = generator.random(1_000_000)
    small = vector.astype(np.float32)
    functions = {
        "`A @ B`, float64": lambda: matrix @ matrix,
        "`svd`": lambda: np.linalg.svd(matrix[:200, :200]),
        "`exp`, float64": lambda: np.exp(vector),
        "`tanh`, float32": lambda: np.tanh(small),
        "`sum`": lambda: vector.sum(),
        "`sort`": lambda: np.sort(vector),
    }
    print(json.dumps({name: taken(function) for name, function in functions.items()}))


def taken(function) -> list[float]:  # type: ignore[no-untyped-def]
    """The seconds of each of `CALLS` calls, after two that are not timed."""
    times = []
    for _ in range(2 + CALLS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times[2:]


if __name__ == "__main__":
    main()
