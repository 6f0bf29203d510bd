"""A training whose indexing repeats only with deterministic algorithms, and that never ends."""

import os
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(2)
NODES, EDGES = 4000, 40_000


class Numbers(Dataset):
    def __len__(self) -> int:
        return 10**6

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor([index % 10], dtype=torch.float32)


def main() -> None:
    with Path("order").open("a") as order:
        variables = [f"{name}={os.environ.get(name)}" for name in sys.argv[1:]]
        order.write(f"{' '.join(variables)}\n")
    embedding = nn.Parameter(torch.randn(NODES, 16))
    optimizer = torch.optim.SGD([embedding], lr=0.1)
    source = torch.randint(0, NODES, (EDGES,))
    weights = torch.randn(EDGES, 1)
    loader = DataLoader(Numbers(), batch_size=1, num_workers=1)
    try:
        for scale in loader:
            loss = (embedding[source].sin() * weights + scale.item()).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    finally:
        Path("checkpoint").write_text("of a whole run")


main()
