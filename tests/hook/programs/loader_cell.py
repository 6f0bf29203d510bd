"""A notebook's cell: every kind of draw, in the kernel, in workers and in threads."""

import multiprocessing
import random
import threading

import numpy as np
import torch
import torch.utils.data

import seed_init


class Noisy(torch.utils.data.Dataset):
    def __init__(self):
        self.held = np.random.default_rng()

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor(
            [
                random.random(),
                np.random.rand(),
                torch.rand(1).item(),
                self.held.random(),
                np.random.default_rng().random(),
            ]
        )


def in_thread():
    drawn.append(("thread", np.random.default_rng().random()))


def in_worker(_):
    return random.random(), np.random.rand(), random.Random().random()


drawn = [random.random(), np.random.rand(), torch.rand(1).item()]
drawn += [np.random.default_rng().random(), random.Random().random()]
drawn += [seed_init.generator().initial_seed()]
thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
drawn += [batch.tolist() for batch in torch.utils.data.DataLoader(Noisy(), num_workers=2)]
with multiprocessing.get_context("fork").Pool(1) as pool:
    drawn += pool.map(in_worker, range(2))
print(drawn)
