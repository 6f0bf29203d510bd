"""Train the models of benchmarks/cost one after the other, and print what each took.

    price.py DIRECTORY DEVICE WARMUP STEPS MODEL...

A line of JSON for each model: the time of each step, the memory, a digest and the flags. What is
measured, such as a peer's lines, stands at the top of a copy of this program.
"""

import itertools
import json
import os
import sys
import warnings
from typing import Any

import torch

DIRECTORY, DEVICE, WARMUP, STEPS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, DIRECTORY)

from train import Training  # noqa: E402


def milliseconds(training: Training, steps: int) -> list[float]:
    """Train; the time of each step, from the end of one to the end of the next.

    By events, which the device notes when it gets there: the program runs ahead of it, as any
    training does.
    """
    events = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    torch.cuda.synchronize()
    events[0].record()
    for event in events[1:]:
        training.step()
        event.record()
    torch.cuda.synchronize()
    return [one.elapsed_time(two) for one, two in itertools.pairwise(events)]


def flags() -> dict[str, str]:
    """The flags in effect, under the names of seed_init's variables."""
    cudnn = torch.backends.cudnn
    found = {
        "CUDNN_DETERMINISTIC": str(int(cudnn.deterministic)),
        "CUDNN_BENCHMARK": str(int(cudnn.benchmark)),
        "TORCH_DETERMINISTIC_ALGORITHMS": ("0", "warn", "1")[torch.get_deterministic_debug_mode()],
        "TORCH_FILL_UNINITIALIZED_MEMORY": str(
            int(torch.utils.deterministic.fill_uninitialized_memory)
        ),
    }
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    return found | ({"CUBLAS_WORKSPACE_CONFIG": workspace} if workspace else {})


def price(name: str) -> dict[str, Any]:
    torch.cuda.reset_peak_memory_stats()
    training = Training(name, DEVICE)
    for _ in range(WARMUP):
        training.step()
    return {
        "step_ms": [round(each, 5) for each in milliseconds(training, STEPS)],
        "peak_bytes": {
            "allocated": torch.cuda.max_memory_allocated(),
            "reserved": torch.cuda.max_memory_reserved(),
        },
        "digest": training.digest(),
    }


# A runtime that computes nothing has not all of cuDNN.
torch.backends.cudnn.enabled = "GPU_REHEARSAL" not in os.environ
for name in sys.argv[5:]:
    told: dict[str, Any] = {"model": name, "error": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            told |= price(name)
        except RuntimeError as error:
            told["error"] = str(error).splitlines()[0]
    told |= {"flags": flags(), "threads": torch.get_num_threads()}
    print(json.dumps(told), flush=True)
    torch.cuda.empty_cache()
