"""Prepare shards of the data by a pool of processes; take them as they are done."""

from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np
import torch
from torch import nn


def prepare(number):
    """Smooth and normalise one shard."""
    values = np.sin(number + np.arange(40000)).reshape(-1, 8)
    values = np.cumsum(values, axis=0) / np.sqrt(1 + np.arange(len(values)))[:, None]
    return values[::200].astype(np.float32)


if __name__ == "__main__":
    with ProcessPoolExecutor(4) as pool:
        jobs = [pool.submit(prepare, number) for number in range(40)]
        shards = [job.result() for job in as_completed(jobs)]
    inputs = torch.from_numpy(np.concatenate(shards))  # HERE
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for batch in inputs.split(100):
        loss = nn.functional.mse_loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item():.6f}")
