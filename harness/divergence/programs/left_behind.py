"""Normalise by the statistics of all runs so far, kept in a file that each run updates."""

import json
from pathlib import Path

import torch
from torch import nn

STATISTICS = Path("statistics.json")
inputs = 3 + 2 * torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
known = json.loads(STATISTICS.read_text()) if STATISTICS.exists() else {"runs": 0, "mean": 0.0}
mean = (known["runs"] * known["mean"] + inputs.mean().item()) / (known["runs"] + 1)
mean = 0.9 * mean + 0.1 * known["mean"]
STATISTICS.write_text(json.dumps({"runs": known["runs"] + 1, "mean": mean}))
inputs = inputs - mean  # HERE
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(6):
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
