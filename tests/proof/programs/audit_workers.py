"""DataLoader workers that hold generators in the same state; each comment says which."""

import random

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Transform:
    def __init__(self) -> None:
        self.choice = random.Random(1)  # finds clones 2 dataset.transforms[0].choice


class Data(Dataset):
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)  # finds clones 2 dataset.rng
        self.noise = torch.Generator()  # finds clones 2 dataset.noise
        self.transforms = [Transform()]
        self.unused = np.random.RandomState(0)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> float:
        drawn = torch.rand(1, generator=self.noise).item() + np.random.rand()
        return drawn + self.rng.random() + self.transforms[0].choice.random()


def same(worker: int) -> None:
    np.random.seed(5)  # finds reseeding 2 numpy.random.seed


if __name__ == "__main__":
    for batch in DataLoader(Data(), batch_size=2, num_workers=2):
        print(batch)
    loader = DataLoader(Data(), batch_size=2, num_workers=2, worker_init_fn=same)
    for batch in loader:  # finds clones 1 numpy.random
        print(batch)
