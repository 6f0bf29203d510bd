"""Refuse to overwrite what an earlier run has written: the second run ends with status 3."""

import sys
from pathlib import Path

import torch
from torch import nn

OUTPUT = Path("weights.pt")
inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(6):
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
if OUTPUT.exists():
    print(f"{OUTPUT} exists", file=sys.stderr)
    sys.exit(3)
torch.save(model.state_dict(), OUTPUT)
