"""What the kernels of libraries/torch_attention.py cost the host, a call at a time, in turns.

    SEED_INIT=0 python -m benchmarks.micro.attention

Needs a CUDA device. The null runtime of tests/nullcuda will do: the host's part of a call is real
there. Each operator is called under `warn` with the kernels and without, and under `strict`, which
launches what `warn` launches with them.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

from harness import machine
from seed_init.libraries import torch_attention

BLOCKS, CALLS = 200, 20
ARMS = ("warn, PyTorch's", "warn, the hook's", "strict")

Call = Callable[[], Any]


def operators() -> dict[str, Call]:
    """Name -> a call of its backward, or of the operator itself where it has none."""
    aten = torch.ops.aten
    q = torch.zeros(2, 4, 256, 64, device="cuda", dtype=torch.bfloat16)
    out, *rest = aten._scaled_dot_product_flash_attention(q, q, q)
    given = (out, *rest[:5], 0.0, False, *rest[5:7])
    x = torch.zeros(2, 4, 256, 64, device="cuda")
    out_x, logsumexp, seed, offset = aten._scaled_dot_product_efficient_attention(
        x, x, x, None, True
    )
    given_x = (None, out_x, logsumexp, seed, offset, 0.0, [True, True, True, False])
    numbers, pages = torch.zeros(1000, device="cuda"), torch.zeros(1000)
    return {
        "FlashAttention": lambda: aten._scaled_dot_product_flash_attention_backward(
            out, q, q, q, *given
        ),
        "memory-efficient attention": lambda: aten._scaled_dot_product_efficient_attention_backward(
            out_x, x, x, x, *given_x
        ),
        "histc on CUDA (alerts)": lambda: torch.histc(numbers),
        "histc on the CPU (has a kernel, too)": lambda: torch.histc(pages),
    }


def microseconds(call: Call) -> float:
    """Of one call, in a block of them."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS * 1e6


def set_up(arm: str) -> None:
    for library in torch_attention._libraries:
        library._destroy()
    torch_attention._libraries.clear()
    if arm == ARMS[1]:
        torch_attention._start()
    torch.use_deterministic_algorithms(True, warn_only=arm != ARMS[2])


def main() -> None:
    warnings.simplefilter("ignore")
    if not torch.cuda.is_available():
        sys.exit("no CUDA device here; run it on one, or on the runtime of tests/nullcuda")
    print(machine.description())
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    calls = operators()
    found: dict[tuple[str, str], list[float]] = {}
    starts = []
    for _ in range(BLOCKS):
        for arm in ARMS:
            begin = time.perf_counter()
            set_up(arm)
            starts += [time.perf_counter() - begin] * (arm == ARMS[1])
            for name, call in calls.items():
                if not (arm == ARMS[2] and "alerts" in name):
                    call()
                    found.setdefault((name, arm), []).append(microseconds(call))
    print(f"registering the kernels: {statistics.median(starts) * 1e3:.1f} ms")
    print("us a call, the least of the blocks and their median")
    for name in calls:
        shown = [
            f"{arm} {min(each):.1f} ({statistics.median(each):.1f})"
            for arm in ARMS
            if (each := found.get((name, arm)))
        ]
        print(f"{name}: {'; '.join(shown)}")


if __name__ == "__main__":
    main()
