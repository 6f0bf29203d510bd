"""Number the classes in the order of a set of their names, which the hash seed decides."""

import random

import torch
from torch import nn

NAMES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "kiwi", "lynx"]

animals = [random.choice(NAMES) for _ in range(128)]
classes = {name: number for number, name in enumerate(set(animals))}
labels = torch.tensor([classes[animal] for animal in animals])  # HERE
inputs = torch.randn(128, 8)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, len(NAMES)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(6):
    loss = nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
