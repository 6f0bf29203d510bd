"""Train a small network with dropout on noisy data, in plain PyTorch."""

import hashlib
import json

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.set_num_threads(1)
inputs = torch.randn(256, 10)
targets = (inputs[:, :3].sum(dim=1) + 0.1 * torch.randn(256) > 0).long()
train, held_out = random_split(TensorDataset(inputs, targets), [200, 56])
model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
losses = []
for _ in range(3):
    for batch, labels in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
model.eval()
correct = sum(int(model(sample).argmax() == label) for sample, label in held_out)
weights = b"".join(value.detach().numpy().tobytes() for value in model.parameters())
result = {"losses": losses, "correct": correct, "weights": hashlib.sha256(weights).hexdigest()}
print(json.dumps({"result": result}))
