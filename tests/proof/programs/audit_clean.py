"""The same as in audit_plain.py and audit_torch.py, done so that an audit finds nothing."""

# ruff: noqa: PTH207, PTH208

import copy
import logging
import os
import pickle
import random
import sys
import tempfile
import time
from glob import glob
from pathlib import Path

import numpy as np


def generators() -> None:
    rng = np.random.default_rng(1)
    random.Random(2).random()
    np.random.RandomState(3)
    seed = 3
    np.random.RandomState(seed=seed)
    copy.deepcopy(rng).random()
    copy.deepcopy(random.Random(4))
    random.random()
    np.random.rand()


def listings(place: Path) -> None:
    for _ in sorted(os.listdir(place)):
        pass
    names = os.listdir(place)
    names.sort()
    print(names[0])
    others = [name for name in os.listdir(place) if name.endswith(".py")]
    print(len(others))
    for name in sorted(others):
        print(name)
    print(sorted(place.iterdir())[0], len(list(place.glob("*"))), "x.py" in os.listdir(place))
    print(max(path.stat().st_size for path in place.iterdir()), set(glob(f"{place}/*")) == set())
    for _, directories, files in os.walk(place):
        directories.sort()
        print(sorted(files))
    with os.scandir(place) as entries:
        print(sorted(entry.name for entry in entries))
    if os.listdir(place):
        files = list(place.rglob("*"))
        files.sort()


def libraries() -> None:
    """What libraries read for themselves is none of the user's findings."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.getLogger("x").addHandler(handler)
    logging.getLogger("x").warning("a line with a time")
    record = logging.makeLogRecord({"msg": "a line with a time"})
    print(len(handler.format(record)) > 0)
    with tempfile.TemporaryDirectory() as name:
        print(len(name) > 0)
    time.localtime(0)
    time.sleep(0)
    assert pickle.loads(pickle.dumps(time.time)) is time.time


def workers() -> None:
    import torch
    from torch.utils.data import DataLoader, Dataset, get_worker_info

    class Data(Dataset):
        def __init__(self) -> None:
            # Serves here only: that each worker has a copy does no harm.
            self.split = np.random.default_rng(5)
            self.order = self.split.permutation(8)
            self.rng = None

        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> float:
            if self.rng is None:
                self.rng = np.random.default_rng(get_worker_info().seed)
            return float(self.rng.random() + random.random() + np.random.rand() + torch.rand(1))

    for batch in DataLoader(Data(), batch_size=2, num_workers=2):
        print(len(batch))


def operators() -> None:
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)  # as it is
    table = torch.zeros(10, requires_grad=True)
    table[torch.zeros(40000, dtype=torch.long)].sum().backward()
    with torch.no_grad():
        table[torch.randperm(10)] = 1.0
        table[table > 0] = 0.0


if __name__ == "__main__":
    generators()
    listings(Path(__file__).parent)
    libraries()
    if sys.argv[1:] == ["torch"]:
        workers()
        operators()
