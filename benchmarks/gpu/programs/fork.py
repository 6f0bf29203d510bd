"""Say whether the import of torch started CUDA, and use it in a forked child."""

import os

import torch

print("started:", torch.cuda.is_initialized(), flush=True)
if os.fork() == 0:
    try:
        numbers = torch.rand(2, device="cuda").tolist()
        seed = torch.cuda.default_generators[0].initial_seed()
        print("child:", numbers, "seed", seed, flush=True)
    except RuntimeError as error:
        print("child:", type(error).__name__, error, flush=True)
    os._exit(0)
os.wait()
