"""Print as JSON what the generators of a dataset draw in each DataLoader worker and epoch.

usage: augmenting.py START_METHOD PERSISTENT; RESUME_AT=n restores torch's state as of epoch n.
"""

import json
import os
import random
import sys

import numpy
import torch
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    """Makes one generator in each worker and holds two from before, all without a seed."""

    def __init__(self):
        self.own = None
        self.held, self.held_too = numpy.random.default_rng(), random.Random()

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if self.own is None:
            self.own = numpy.random.default_rng()
        return self.own.random(), self.held.random(), self.held_too.random()


def as_it_is(batch):
    return batch


def main():
    method, persistent = sys.argv[1:]
    loader = DataLoader(
        Noisy(),
        num_workers=2,
        multiprocessing_context=method,
        persistent_workers=persistent == "1",
        collate_fn=as_it_is,
    )
    first = int(os.environ.get("RESUME_AT", "0"))
    for _ in range(first):  # what a checkpoint of torch's state would hold
        torch.empty((), dtype=torch.int64).random_()
    print(json.dumps([[batch[0] for batch in loader] for _ in range(first, 3)]))


if __name__ == "__main__":
    main()
