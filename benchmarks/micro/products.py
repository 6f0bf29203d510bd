"""Host time of a small product, and of an addition beside it, on the current CUDA device."""

import json
import time
from collections.abc import Callable

import torch

CALLS = 300
BLOCKS = 15


def micro(call: Callable[[], object]) -> float:
    """Microseconds of this thread's CPU for one call, of the shortest of some blocks.

    The shortest, because a device that is behind, or another program, only ever adds to it.

    Args:
        call: what is measured.
    """
    shortest = float("inf")
    for _ in range(BLOCKS):
        begun = time.thread_time()
        for _ in range(CALLS):
            call()
        shortest = min(shortest, time.thread_time() - begun)
        torch.cuda.synchronize()
    return shortest / CALLS * 1e6


def main() -> None:
    matrix = torch.zeros(8, 8, device="cuda")
    linear = torch.nn.Linear(8, 8).cuda()
    torch.mm(matrix, matrix)
    print(
        json.dumps(
            {
                "torch.mm": micro(lambda: torch.mm(matrix, matrix)),
                "Linear": micro(lambda: linear(matrix)),
                "an addition": micro(lambda: matrix + matrix),
            }
        )
    )


if __name__ == "__main__":
    main()
