# SPDX-License-Identifier: Apache-2.0
"""A program of its own: times operators that level `portable` computes otherwise.

It prints the seconds of each call as JSON. Where the hook is off, MKL gets its AVX2 branch here, so
that an operator has what the level gives to it, but for the level's own steps.
"""

import json
import os
import time
import warnings
from collections.abc import Callable
from functools import partial

import torch

from seed_init.libraries import torch_mkl

CALLS = 15

warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")

if os.environ.get("SEED_INIT") == "0":
    torch_mkl.choose()


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print(json.dumps({name: taken(call) for name, call in calls().items()}))


def calls() -> dict[str, Callable[[], object]]:
    """Name of an operator, with the size of its input -> a call."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.randn(*shape, dtype=dtype, generator=generator)

    found: dict[str, Callable[[], object]] = {}
    x, y = (numbers(1_000_000, dtype=torch.complex64) for _ in range(2))
    small_x, small_y = x[:1000].clone(), y[:1000].clone()
    found["`div` of complex64, 1000 numbers"] = lambda: small_x / small_y
    found["`div` of complex64, 1,000,000 numbers"] = lambda: x / y
    found["`addcdiv` of complex64, 1,000,000 numbers"] = lambda: torch.addcdiv(x, x, y)
    found["`atan` of complex64, 1,000,000 numbers"] = lambda: torch.atan(x)
    real = numbers(1_000_000).abs()
    double = real.double()
    found["`div` of float32, 1,000,000 numbers"] = lambda: real / real
    found["`sqrt` of float32, 1,000,000 numbers"] = lambda: torch.sqrt(real)
    found["`sqrt` of float64, 1,000,000 numbers"] = lambda: torch.sqrt(double)
    for size in (16, 512):
        matrix = numbers(size, size)
        positive = matrix @ matrix.T + size * torch.eye(size)
        right = numbers(size, 4)
        found[f"`linalg.cholesky`, {size} x {size}"] = partial(torch.linalg.cholesky, positive)
        found[f"`linalg.lstsq`, {size} x {size}"] = partial(torch.linalg.lstsq, matrix, right)
    sparse = torch.tril(numbers(512, 512)).add_(512 * torch.eye(512)).to_sparse_csr()
    column = numbers(512, 4)
    found["`triangular_solve`, sparse, 512 x 512"] = lambda: torch.triangular_solve(
        column, sparse, upper=False
    )
    whole = torch.randint(-128, 128, (512, 512), generator=generator).to(torch.int8)
    found["`_int_mm`, 512 x 512"] = lambda: torch._int_mm(whole, whole)
    image, kernel = numbers(8, 32, 64, 64), numbers(32, 32, 3, 3)
    last = image.to(memory_format=torch.channels_last)
    found["`conv2d`, 8 x 32 x 64 x 64"] = lambda: torch.conv2d(image, kernel)
    found["`conv2d`, channels last, 8 x 32 x 64 x 64"] = lambda: torch.conv2d(last, kernel)
    return found


def taken(call: Callable[[], object]) -> list[float]:
    """The seconds of each of `CALLS` calls, after three that are not timed."""
    times = []
    for _ in range(3 + CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times[3:]


if __name__ == "__main__":
    main()
