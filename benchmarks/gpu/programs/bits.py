"""Train each model of benchmarks/cost again and again from the same state; count the results.

    bits.py DIRECTORY REPEATS STEPS

DIRECTORY is that of the models. Prints a line of JSON for each model: how many different results,
what PyTorch warned of, and the error that ended it, if any.
"""

import json
import sys
import warnings
from typing import Any

import torch
from checksums import checksum, without_cudnn_in_a_rehearsal

DIRECTORY, REPEATS, STEPS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, DIRECTORY)

from models import MODELS  # noqa: E402
from train import Training  # noqa: E402


def train(name: str) -> list[int]:
    """The checksums of the repeats: of parameters, buffers and losses."""
    training = Training(name, "cuda")
    state = {key: value.clone() for key, value in training.model.state_dict().items()}
    sums = []
    for _ in range(REPEATS):
        training.model.load_state_dict(state)
        training.optimizer = training.make_optimizer(training.model.parameters())
        training.losses.clear()
        torch.manual_seed(0)
        for _ in range(STEPS):
            training.step()
        losses = torch.stack(training.losses)
        sums.append(checksum([*training.model.state_dict().values(), losses]))
    return [int(each) for each in sums]


torch.set_warn_always(True)
without_cudnn_in_a_rehearsal()
for name in MODELS:
    told: dict[str, Any] = {"model": name, "results": None, "repeats": REPEATS, "error": None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            told["results"] = len(set(train(name)))
        except RuntimeError as error:
            told["error"] = str(error).splitlines()[0]
    texts = {str(each.message) for each in caught}
    told["warned"] = sorted(text for text in texts if "determinis" in text)
    print(json.dumps(told), flush=True)
    torch.cuda.empty_cache()
