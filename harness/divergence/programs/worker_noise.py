"""Load samples by two workers from a data set that holds a NumPy generator without a seed."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    """Sines with another noise each time that they are looked at."""

    def __init__(self):
        self.generator = np.random.default_rng()

    def __len__(self):
        return 64

    def __getitem__(self, index):
        clean = np.sin(index + np.arange(8))
        noisy = clean + self.generator.normal(0, 0.1, 8)
        return torch.tensor(noisy, dtype=torch.float32), torch.tensor(clean.sum()).float()


if __name__ == "__main__":
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for inputs, targets in DataLoader(Noisy(), batch_size=16, shuffle=True, num_workers=2):
        loss = nn.functional.mse_loss(model(inputs).squeeze(1), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item():.6f}")
