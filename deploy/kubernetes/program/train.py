"""Fit a small network, on one process or on several: what the manifests of this folder run.

Put your own program in its place. Nothing in it seeds: `SEED` does, before it starts.
"""

import hashlib
import os

import torch
import torch.distributed
from torch import nn

STEPS = 20


def main() -> None:
    """Train, and print the loss and the hash of the weights of each rank."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1:
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network: nn.Module = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1)).to(device)
    if ranks > 1:
        network = nn.parallel.DistributedDataParallel(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    inputs = torch.randn(64, 16, device=device)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (network(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        loss.backward()
        optimizer.step()
    weights = b"".join(each.detach().cpu().numpy().tobytes() for each in network.parameters())
    print(f"loss: {loss.item():.6f}")
    print(f"weights sha256: {hashlib.sha256(weights).hexdigest()}")
    if ranks > 1:
        torch.distributed.destroy_process_group()


main()
