"""A training on a device; print what its steps left on it, and how often the host waited.

    training.py [item]

With `item` the loop asks for the loss in each step, which waits for the device.
"""

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn

STEPS, WARM_UP = 50, 5


def waits():
    """How often this process has waited so far, as the runtime's log has it."""
    mine = [each for each in LOG.read_text().splitlines() if each.startswith(f"{os.getpid()} ")]
    return sum(each.split()[1] == "sync" for each in mine)


LOG = Path(os.environ.get("NULLCUDA_LOG", os.devnull))


def main():
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 1)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = torch.randn(16, 64, device="cuda")
    at = {}
    for number in range(WARM_UP + STEPS):
        if number == WARM_UP:
            at["first"] = (waits(), torch.cuda.memory_allocated())
        optimizer.zero_grad()
        loss = model(batch).square().mean()
        loss.backward()
        optimizer.step()
        if "item" in sys.argv:
            loss.item()
    at["last"] = (waits(), torch.cuda.memory_allocated())
    told = {
        "steps": STEPS,
        "tensors": len(list(model.parameters())) * 2,  # with the gradients
        "waits": at["last"][0] - at["first"][0],
        "bytes": at["last"][1] - at["first"][1],
    }
    print(json.dumps(told))


main()
