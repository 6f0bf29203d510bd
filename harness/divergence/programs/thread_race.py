"""A layer that adds up in threads: each adds its part to the sum when it is done."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

PARTS = 32
pool = ThreadPoolExecutor(8)


class ParallelSum(nn.Module):
    """The sum of some features of each row, by eight threads into one array."""

    def forward(self, inputs):
        values = inputs.detach().numpy()
        total = np.zeros(len(values), np.float32)

        def add(part):
            nonlocal total
            found = np.sort(part, axis=1).cumsum(axis=1, dtype=np.float32)[:, -1]
            total = total + found

        list(pool.map(add, np.array_split(values, PARTS, axis=1)))
        return torch.tensor(total)[:, None]  # HERE


class Network(nn.Module):
    """A linear model of the sum."""

    def __init__(self):
        super().__init__()
        self.total = ParallelSum()
        self.last = nn.Linear(1, 1)

    def forward(self, inputs):
        return self.last(self.total(inputs) / 100)


inputs = torch.randn(500, 32 * PARTS)
targets = inputs.mean(dim=1, keepdim=True)
model = Network()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(4):
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.3f}")
