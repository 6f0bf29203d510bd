"""Print as JSON what each DataLoader worker draws in each of two epochs.

usage: loader.py START_METHOD PERSISTENT
"""

import json
import os
import random
import sys

import numpy
import torch
from torch.utils.data import DataLoader, Dataset

if os.environ.get("BY_HAND"):
    random.seed(7)
    numpy.random.seed(7)
    torch.manual_seed(7)


class Draws(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return random.random(), float(numpy.random.rand()), float(torch.rand(1))


def as_it_is(batch):
    return batch


if __name__ == "__main__":
    method, persistent = sys.argv[1:]
    loader = DataLoader(
        Draws(),
        num_workers=2,
        multiprocessing_context=method,
        persistent_workers=persistent == "1",
        collate_fn=as_it_is,
    )
    print(json.dumps([[batch[0] for batch in loader] for _ in range(2)]))
