"""Train on inputs with fresh noise at each step, from a NumPy generator without a seed."""

import numpy as np
import torch
from torch import nn

inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
generator = np.random.default_rng()
for step in range(6):
    noisy = inputs + torch.from_numpy(generator.normal(0, 0.1, (128, 8))).float()  # HERE
    loss = nn.functional.mse_loss(model(noisy), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
