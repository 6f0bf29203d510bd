"""Augment with a NumPy generator whose seed is today's date: each day its own augmentation."""

import time

import numpy as np
import torch
from torch import nn

inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
generator = np.random.default_rng(int(time.strftime("%Y%m%d")))
for step in range(6):
    flipped = inputs * torch.from_numpy(generator.choice([-1.0, 1.0], (128, 8))).float()  # HERE
    loss = nn.functional.mse_loss(model(flipped), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
