"""Train a small network on handwritten digits with DistributedDataParallel; no seed in it.

    torchrun --nnodes=2 --nproc-per-node=1 ... train.py

Each rank trains on its half of the digits, on the CPU, over gloo. At the end each rank prints a
hash of the weights. All ranks of a run have the same weights; SEED decides which.
"""

from __future__ import annotations

import argparse
import hashlib

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1)
    epochs = parser.parse_args().epochs
    dist.init_process_group("gloo")
    images, labels = load_digits(return_X_y=True)
    digits = TensorDataset(torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels))
    sampler = DistributedSampler(digits)
    loader = DataLoader(digits, batch_size=64, sampler=sampler)
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    model = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for pixels, target in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(pixels), target)
            loss.backward()
            optimizer.step()
    weights = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
    print(f"rank {dist.get_rank()}: weights sha256 {hashlib.sha256(weights).hexdigest()}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
