"""Train one network by three threads at once that update it without locks (Hogwild)."""

import threading

import torch
from torch import nn

inputs = torch.randn(3, 64, 32)
targets = inputs.sum(dim=2, keepdim=True)
model = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
start = threading.Barrier(3)


def train(part):
    """Train on one part of the data."""
    parameters = list(model.parameters())
    start.wait()
    for _ in range(100):
        loss = nn.functional.mse_loss(model(inputs[part]), targets[part])
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient
        optimizer.step()


threads = [threading.Thread(target=train, args=(part,)) for part in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"weights {sum(value.sum().item() for value in model.parameters()):.6f}")
