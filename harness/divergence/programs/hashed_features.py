"""Put words into 64 buckets by hash(), as feature hashing does."""

import torch
from torch import nn

TEXTS = {
    "the train was late again": 0.0,
    "a quiet and friendly place": 1.0,
    "never again this noise": 0.0,
    "friendly people and good food": 1.0,
    "the food was cold": 0.0,
    "what a good train": 1.0,
}

inputs = torch.zeros(len(TEXTS), 64)
for row, text in enumerate(TEXTS):
    buckets = [hash(word) % 64 for word in text.split()]
    inputs[row].index_add_(0, torch.tensor(buckets), torch.ones(len(buckets)))  # HERE
targets = torch.tensor(list(TEXTS.values()))[:, None]
model = nn.Linear(64, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(6):
    loss = nn.functional.binary_cross_entropy_with_logits(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
