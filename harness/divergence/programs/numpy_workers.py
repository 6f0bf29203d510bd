"""Data with noise from the global np.random and from random, drawn in two workers."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Augmented(Dataset):
    """Sines with noise, some of them mirrored."""

    def __len__(self):
        return 96

    def __getitem__(self, index):
        values = np.sin(index + np.arange(8)) + np.random.normal(0, 0.1, 8)
        if random.random() < 0.5:
            values = values[::-1].copy()
        return values.astype(np.float32)


if __name__ == "__main__":
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001)
    loader = DataLoader(Augmented(), 16, shuffle=True, num_workers=2, persistent_workers=True)
    for epoch in range(2):
        for batch in loader:
            loss = nn.functional.mse_loss(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.6f}")
