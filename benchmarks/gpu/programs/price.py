"""Train the models of benchmarks/cost one after the other, and print what each took.

    price.py DIRECTORY DEVICE WARMUP STEPS MODEL...

A line of JSON for each model, as train.py prints them, with the warnings about determinism. What is
measured, such as a peer's lines, stands at the top of a copy of this program.
"""

import json
import os
import sys
import warnings
from typing import Any

import torch

DIRECTORY, DEVICE, WARMUP, STEPS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, DIRECTORY)

from train import Training, flags, measure, peak_bytes, versions  # noqa: E402


def price(name: str) -> dict[str, Any]:
    torch.cuda.reset_peak_memory_stats()
    training = Training(name, DEVICE)
    for _ in range(WARMUP):
        training.step()
    return {
        "step_ms": [round(each, 5) for each in measure(training, STEPS)],
        "peak_bytes": peak_bytes(DEVICE),
        "digest": training.digest(),
    }


# A runtime that computes nothing has not all of cuDNN.
torch.backends.cudnn.enabled = "GPU_REHEARSAL" not in os.environ
for name in sys.argv[5:]:
    told: dict[str, Any] = {"model": name, "error": None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            told |= price(name)
        except RuntimeError as error:
            told["error"] = str(error).splitlines()[0]
    told["warnings"] = sorted({str(each.message) for each in caught})
    told |= {**versions(DEVICE), "flags": flags(), "threads": torch.get_num_threads()}
    print(json.dumps(told), flush=True)
    torch.cuda.empty_cache()
