"""Train nothing on the ranks of torchrun, but set up all of it; write as JSON what each drew.

usage: ranks_gloo.py FILE
"""

import hashlib
import json
import os
import random
import sys
from datetime import timedelta
from pathlib import Path

import numpy
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

DATA = range(32)


def parameters(model):
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def order(**options):
    """The order in which one epoch of a loader sees the data."""
    return [int(number) for batch in DataLoader(DATA, batch_size=4, **options) for number in batch]


def main():
    told = {"draws": [random.random(), float(numpy.random.rand()), float(torch.rand(1))]}
    # A rank that waits in vain for the other fails, long before the test's limit.
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    told["model"] = parameters(model)
    told["model in DDP"] = parameters(DistributedDataParallel(model))
    told["order"] = order(shuffle=True)
    told["order by DistributedSampler"] = order(sampler=DistributedSampler(DATA))
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, told)
    if dist.get_rank() == 0:
        Path(sys.argv[1]).write_text(json.dumps(ranks))
    # Without these, a rank that exits closes connections that the other still uses.
    dist.barrier()
    dist.destroy_process_group()
    # Now and then gloo's threads abort a process that goes on to end in the usual way ("terminate
    # called without an active exception").
    os._exit(0)


if __name__ == "__main__":
    main()
