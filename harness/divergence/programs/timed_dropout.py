"""Drop features by a generator of one's own, which is seeded with the time."""

import time

import torch
from torch import nn


class FeatureDropout(nn.Module):
    """Sets features to zero, the same ones for a whole batch."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.generator = torch.Generator().manual_seed(time.time_ns())

    def forward(self, hidden):
        kept = torch.rand(hidden.shape[1], generator=self.generator) > self.rate  # HERE
        return hidden * kept / (1 - self.rate)


class Network(nn.Module):
    """Two layers with dropout between them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 64)
        self.dropout = FeatureDropout(0.5)
        self.last = nn.Linear(64, 1)

    def forward(self, inputs):
        return self.last(self.dropout(self.first(inputs).relu()))


inputs = torch.randn(128, 8)
targets = inputs[:, :2].sum(dim=1, keepdim=True)
model = Network()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(6):
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
