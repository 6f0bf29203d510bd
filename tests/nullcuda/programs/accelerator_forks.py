"""Print as JSON the seeds of the CPU and of the first device in forked children, for two builds.

The second time, torch says of itself what a build for ROCm says; the rest of torch.cuda is the same
code there.
"""

import json
import os

import torch

from seed_init.libraries import torch as library


def child() -> "list[int]":
    read, write = os.pipe()
    if os.fork() == 0:
        torch.cuda.init()
        seeds = [torch.initial_seed(), torch.cuda.default_generators[0].initial_seed()]
        os.write(write, json.dumps(seeds).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read) as told:
        seeds: list[int] = json.load(told)
    return seeds


told = {"cuda": [child(), child()]}
torch.version.cuda, torch.version.hip = None, "6.2"
# As at the import: a seed for the devices first.
library._in_fork = None
library._cuda_manual_seed_all(7)
library._prepare_for_forks()
told["rocm"] = [child(), child()]
print(json.dumps(told))
