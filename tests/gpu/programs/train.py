"""A short training on a device, with dropout; print a digest of what it came to.

    train.py DEVICE [compile] [STEPS]

With `compile` the model is compiled by inductor.
"""

import hashlib
import json
import sys

import torch
from torch import nn

DEVICE = sys.argv[1]
STEPS = next((int(word) for word in sys.argv[2:] if word.isdecimal()), 5)


def main():
    model = nn.Sequential(
        *(nn.Linear(64, 256), nn.LayerNorm(256), nn.GELU(), nn.Dropout(), nn.Linear(256, 10))
    ).to(DEVICE)
    forward = torch.compile(model) if "compile" in sys.argv else model
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(STEPS):
        optimizer.zero_grad()
        x = torch.randn(512, 64, device=DEVICE)
        target = torch.randint(10, (512,), device=DEVICE)
        nn.functional.cross_entropy(forward(x), target).backward()
        optimizer.step()
    weights = b"".join(each.detach().cpu().numpy().tobytes() for each in model.parameters())
    print(json.dumps({"weights": hashlib.sha256(weights).hexdigest()}))


main()
