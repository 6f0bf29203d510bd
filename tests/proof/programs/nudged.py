"""A small training in which one gradient is a little larger at one step.

    nudged.py STEPS STEP RATE

The step is counted from 0; -1: at none. RATE is the learning rate: 1e30 makes losses inf and nan.
"""

import sys

import torch

steps, nudged, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=rate)
for step in range(steps):
    inputs = torch.randn(16, 4)
    loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    if step == nudged:
        model[2].bias.grad.mul_(1.01)
    optimizer.step()
