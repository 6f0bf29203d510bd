"""At step 3, draw as many random probes for the log as there were microseconds since the start."""

import time

import torch
from torch import nn

begin = time.perf_counter()
inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.Dropout(0.2), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(6):
    if step == 3:
        probes = torch.rand(int(1e6 * (time.perf_counter() - begin)))  # HERE
        assert probes.max() < 1
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
