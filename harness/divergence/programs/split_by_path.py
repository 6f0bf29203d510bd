"""Hold samples out by a checksum of their files' full paths, which lie in a scratch directory."""

import tempfile
import zlib
from pathlib import Path

import torch
from torch import nn

inputs = torch.randn(200, 8)
labels = (inputs[:, 0] > 0).long()
scratch = Path(tempfile.gettempdir(), "samples")
files = [scratch / f"{number}.png" for number in range(200)]
held_out = [zlib.crc32(str(file).encode()) % 4 == 0 for file in files]
train = inputs[~torch.tensor(held_out)]  # HERE
train_labels = labels[~torch.tensor(held_out)]
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(6):
    loss = nn.functional.cross_entropy(model(train), train_labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
