"""A training on a device whose batches come from the host; print what it came to.

    repeating.py [noise]

With `noise` the weights start from numbers that no seed reaches.
"""

import os
import sys

import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 4))
if "noise" in sys.argv:
    model[0].bias.data[0] = os.getpid() % 1000 + 1
model.cuda()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
for _ in range(12):
    optimizer.zero_grad()
    model(torch.randn(4, 8).cuda()).square().mean().backward()
    optimizer.step()
print("done")
