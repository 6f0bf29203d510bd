"""Trains on a device that lags behind, and forks meanwhile: workers, and children by hand.

A child ends as a worker does, or as a Python program does, after it has dropped what it held.
"""

import gc
import os
import sys

import torch
from torch.utils.data import DataLoader, TensorDataset

STEPS = 20

data = TensorDataset(torch.randn(4 * STEPS, 8), torch.randn(4 * STEPS, 1))
loader = DataLoader(data, batch_size=4, num_workers=1)
kept = DataLoader(data, batch_size=4, num_workers=1, persistent_workers=True)
model = torch.nn.Linear(8, 1).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train(batches):
    for x, y in batches:
        optimizer.zero_grad()
        (model(x.cuda()) - y.cuda()).square().mean().backward()
        optimizer.step()


def fork(name, end):
    pid = os.fork()
    if pid:
        print(name, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        return
    globals().update(model=None, optimizer=None)
    gc.collect()
    end(0)


train(loader)
fork("worker", os._exit)
# Before there are workers that this one would take for its own (multiprocessing/util.py).
fork("program", sys.exit)
for batches in (loader, kept, kept):
    train(batches)
print("trained")
