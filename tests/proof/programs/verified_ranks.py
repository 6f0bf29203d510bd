"""Each rank trains by itself; from step 1 on the noise of rank 1 is as strong as time went by."""

import os
import time

import torch
from torch import nn

begin = time.perf_counter()
rank = int(os.environ["RANK"])
layer = nn.Linear(4, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
for step in range(3):
    strength = time.perf_counter() - begin if rank == 1 and step == 1 else 0.1
    optimizer.zero_grad()
    layer(strength * torch.randn(2, 4)).square().mean().backward()
    optimizer.step()
