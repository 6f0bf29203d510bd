"""An autograd function that rounds the gradient up or down at random, with os.urandom."""

import os

import torch
from torch import nn


class StochasticRounding(torch.autograd.Function):
    """The identity, whose gradient is rounded to steps of 1/1024."""

    @staticmethod
    def forward(context, hidden):
        return hidden.clone()

    @staticmethod
    def backward(context, gradient):
        offset = torch.frombuffer(bytearray(os.urandom(gradient.numel())), dtype=torch.uint8)
        shift = offset.view_as(gradient) / 256  # HERE
        return (gradient * 1024 + shift).floor() / 1024


class Network(nn.Module):
    """Two layers with rounding between them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 32)
        self.last = nn.Linear(32, 1)

    def forward(self, inputs):
        return self.last(StochasticRounding.apply(self.first(inputs).relu()))


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
