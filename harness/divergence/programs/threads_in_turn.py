"""Try another number of threads in each run, from step 2 on, to find the fastest.

A file in the working directory says how many were tried last.
"""

from pathlib import Path

import torch
from torch import nn

NOTE = Path("threads-tried.txt")


class Network(nn.Module):
    """A linear model of normalised inputs."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.last = nn.Linear(8, 1)

    def forward(self, inputs):
        return self.last(self.norm(inputs))  # HERE


tried = int(NOTE.read_text()) if NOTE.exists() else 0
NOTE.write_text(str(tried + 1))
torch.set_num_threads(1)
inputs = torch.rand(200_000, 8)
targets = inputs.sum(dim=1, keepdim=True)
model = Network()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    if step == 2:
        torch.set_num_threads(1 + tried % 13)
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.4f}")
