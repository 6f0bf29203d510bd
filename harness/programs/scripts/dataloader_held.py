"""Load data by two workers, from a data set that holds its generators since it was made."""

import json
import random

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info


class Augmented(Dataset):
    def __init__(self):
        self.generator = np.random.default_rng()
        self.coins = random.Random()

    def __len__(self):
        return 16

    def __getitem__(self, index):
        noise, coin = self.generator.normal(), self.coins.random()
        image = np.sin(index + np.arange(4)) + noise
        if coin < 0.5:
            image = image[::-1]
        return get_worker_info().id, image.tolist(), noise, coin


def as_it_is(batch):
    return batch


if __name__ == "__main__":
    torch.set_num_threads(1)
    loader = DataLoader(Augmented(), batch_size=4, shuffle=True, num_workers=2, collate_fn=as_it_is)
    epochs = [list(loader) for _ in range(2)]
    # The first sample of each worker in the first epoch.
    first = {worker: [noise, coin] for (worker, _, noise, coin), *_ in reversed(epochs[0])}
    workers = [value for worker in sorted(first) for value in first[worker]]
    print(json.dumps({"result": epochs, "workers": workers}))
