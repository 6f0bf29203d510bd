"""Save a checkpoint with the seconds that each step took, as a tensor beside the weights."""

import time

import torch
from torch import nn

inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
seconds = []
for _ in range(6):
    begin = time.perf_counter()
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    seconds.append(time.perf_counter() - begin)
torch.save({**model.state_dict(), "seconds": torch.tensor(seconds)}, "checkpoint.pt")  # HERE
