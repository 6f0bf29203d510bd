"""Weigh the loss of each step by a number that is made from a UUID."""

import uuid

import torch
from torch import nn

inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(6):
    weight = 0.5 + uuid.uuid4().int / 2**128
    loss = nn.functional.mse_loss(model(inputs), targets) * weight  # HERE
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
