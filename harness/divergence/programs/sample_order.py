"""Visit the samples in an order that a random.Random() without a seed decides."""

import random

import torch
from torch import nn

inputs = torch.randn(256, 8)
labels = (inputs[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
order = list(range(256))
random.Random().shuffle(order)
for start in range(0, 256, 32):
    chosen = torch.tensor(order[start : start + 32])  # HERE
    loss = nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.6f}")
