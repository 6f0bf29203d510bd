"""On two ranks: at step 2 rank 1 alone draws probes, as many as microseconds went by.

Its next dropout mask is another one, and with it the gradient of both ranks.
"""

import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

begin = time.perf_counter()
dist.init_process_group("gloo", timeout=timedelta(seconds=60))
model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.2), nn.Linear(16, 1)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    inputs = torch.randn(16, 4) + dist.get_rank()
    if step == 2 and dist.get_rank() == 1:
        probes = torch.rand(int(1e5 * (time.perf_counter() - begin)))  # HERE
        assert probes.max() < 1
    optimizer.zero_grad()
    loss = (model(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()
    loss.backward()
    optimizer.step()
dist.barrier()
dist.destroy_process_group()
