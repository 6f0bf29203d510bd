"""Train on samples in the order of a set of objects, which their addresses decide."""

import random

import torch
from torch import nn


class Sample:
    """One measurement."""

    def __init__(self, value):
        self.value = value


unique = {Sample(random.gauss(0, 1)) for _ in range(10000)}
samples = torch.tensor([sample.value for sample in unique])[:, None]  # HERE
model = nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for batch in samples.split(1000):
    loss = nn.functional.binary_cross_entropy_with_logits(model(batch), (batch > 0).float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"weight {model.weight.item():.6f}")
