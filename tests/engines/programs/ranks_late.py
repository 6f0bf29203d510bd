"""Ranks that know nothing of each other when Python starts: started by hand, or by spawn.

Usage: ranks_late.py started RANK SIZE URL [own]   or   ranks_late.py spawned SIZE URL
Each rank prints a JSON line: rank, what it drew before and after it joined, its path.
"""

import json
import random
import sys
from typing import Any

import numpy
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import seed_init


def draw() -> list[float]:
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), numpy.random.rand(), torch.rand(1).item(), *made]


def join(rank: int, size: int, url: str, *words: str) -> None:
    before = draw()
    if "own" in words:
        torch.manual_seed(5)
    dist.init_process_group("gloo", init_method=url, rank=rank, world_size=size)
    told: dict[str, Any] = {"rank": rank, "before": before, "after": draw()}
    dist.barrier()
    status = seed_init.status()
    told |= {"path": status["path"], "status": status["rank"], "attempt": status["restart"]}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    dist.destroy_process_group()


if __name__ == "__main__":
    if sys.argv[1] == "started":
        join(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        size = int(sys.argv[2])
        mp.spawn(join, args=(size, *sys.argv[3:]), nprocs=size)
