"""Training that prints every bit of what it computes: an audit must not change it."""

import hashlib
import random
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Data(Dataset):
    def __init__(self) -> None:
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return 48

    def __getitem__(self, index: int) -> "tuple[torch.Tensor, float, int]":
        drawn = self.rng.random() + random.random() + np.random.rand()
        return torch.randn(4, 16), drawn, index % 10


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.convolution = nn.Conv1d(4, 3, 3)
        self.out = nn.Linear(42, 1)

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        x = self.layer(x + self.embedding(index)[:, None])
        x = self.convolution(nn.functional.max_pool1d(x, 1)).flatten(1)
        return nn.functional.dropout(self.out(x), 0.1).squeeze()


def main() -> None:
    time.time()
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters())
    table = torch.randn(50, requires_grad=True)
    for x, y, index in DataLoader(Data(), batch_size=8, num_workers=2, shuffle=True):
        loss = (net(x, index) - y).pow(2).mean()
        loss = loss + table[index].sin().sum() + table.gather(0, index).cos().sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        torch.zeros(5).put_(torch.tensor([1]), torch.ones(1))
        torch.zeros(5).put_(torch.tensor([1]), torch.ones(1))
    digest = hashlib.sha256()
    for tensor in (*net.parameters(), table.grad):
        digest.update(tensor.detach().numpy().tobytes())
    print(digest.hexdigest(), loss.item())
    print(random.random(), np.random.rand(), torch.rand(1).item(), Data().rng.random())


if __name__ == "__main__":
    main()
