"""Train with a layer whose noise comes from os.urandom."""

import os

import torch
from torch import nn


class Noise(nn.Module):
    """Adds noise between 0 and 0.1 to each feature."""

    def forward(self, hidden):
        noise = torch.tensor(list(os.urandom(hidden.shape[1])), dtype=torch.float32)  # HERE
        return hidden + 0.1 * noise / 255


class Network(nn.Module):
    """Two layers with noise between them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 32)
        self.noise = Noise()
        self.last = nn.Linear(32, 1)

    def forward(self, inputs):
        return self.last(self.noise(self.first(inputs)).relu())


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
