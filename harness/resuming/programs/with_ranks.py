"""Train on two ranks with DistributedDataParallel; rank 0 saves after each epoch.

With --same-order the resumed run leaves out `set_epoch` for the epochs that it goes on with.
"""

import argparse
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--same-order", action="store_true")
options = parser.parse_args()
dist.init_process_group("gloo")
path = Path("last.pt")
inputs = torch.randn(96, 6, generator=torch.Generator().manual_seed(1))
data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
sampler = DistributedSampler(data)
loader = DataLoader(data, 8, sampler=sampler)
bare = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 1))
model = nn.parallel.DistributedDataParallel(bare)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
first, kept = 0, None
if path.exists():
    kept = torch.load(path)
    bare.load_state_dict(kept["model"])
    optimizer.load_state_dict(kept["optimizer"])
    torch.set_rng_state(kept["generator"])
    first = kept["epoch"]
for epoch in range(first, 3):
    sampler.set_epoch(epoch - first if options.same_order else epoch)
    for batch, targets in loader:
        loss = (model(batch) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if dist.get_rank() == 0:
        content = {
            "model": bare.state_dict(),
            "optimizer": optimizer.state_dict(),
            "generator": torch.get_rng_state(),
            "epoch": epoch + 1,
        }
        torch.save(content, "last.tmp")
        Path("last.tmp").replace(path)
    dist.barrier()
dist.destroy_process_group()
