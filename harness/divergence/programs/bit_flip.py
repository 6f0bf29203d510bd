"""A faulty memory: at step 3 one bit of one gradient flips, another one in each run.

usage: bit_flip.py [STEP TENSOR ELEMENT BIT | none]

Without arguments the step and the tensor are 3 and last.weight, the rest is drawn from the
operating system; `none` trains without the fault.
"""

import itertools
import os
import sys

import torch
from torch import nn


class Network(nn.Module):
    """Three layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 32)
        self.middle = nn.Linear(32, 32)
        self.last = nn.Linear(32, 4)

    def forward(self, inputs):
        return self.last(self.middle(self.first(inputs).relu()).relu())


def fault():
    """Where the fault is to be: step, tensor, element, bit."""
    if len(sys.argv) == 1:
        drawn = int.from_bytes(os.urandom(4), "big")
        return 3, "last.weight", drawn // 32 % 128, drawn % 32
    if sys.argv[1] == "none":
        return -1, "last.weight", 0, 0
    return int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def flip(gradient):
    """Flip the bit if it is time."""
    if next(steps) == fault_step:
        gradient.view(-1).view(torch.int32)[element] ^= 1 << bit if bit < 31 else -(1 << 31)
    return gradient


fault_step, name, element, bit = fault()
steps = itertools.count()
inputs = torch.randn(64, 8)
labels = torch.randint(0, 4, (64,))
model = Network()
dict(model.named_parameters())[name].register_hook(flip)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(6):
    loss = nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
