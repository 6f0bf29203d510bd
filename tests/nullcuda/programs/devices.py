"""Print what the devices' generators were seeded with, and when CUDA started.

    devices.py [CODE]

CODE is run after the import of torch, as a user's own seeding. Then two children are forked, which
start CUDA; then this process starts CUDA; then a third child is forked. Children are Process
objects of the start method fork.
"""

import json
import multiprocessing
import os
import sys
from pathlib import Path

import torch


def seeds():
    torch.cuda.init()
    return [each.initial_seed() for each in torch.cuda.default_generators]


def tell(queue):
    try:
        queue.put({"seeds": seeds()})
    except Exception as raised:
        queue.put({"raised": f"{type(raised).__name__}: {raised}"})


def child():
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=tell, args=(queue,))
    process.start()
    answer = queue.get()
    process.join()
    return answer


def started():
    """Whether this process has started the driver, as the runtime's log has it."""
    log = Path(os.environ["NULLCUDA_LOG"])
    return log.exists() and f"{os.getpid()} start" in log.read_text()


def main():
    exec(" ".join(sys.argv[1:]))
    told = {"cpu": torch.initial_seed(), "children": [child(), child()], "early": started()}
    told["seeds"] = seeds()
    torch.cuda.manual_seed_all(8)
    told["again"] = seeds()
    told["late"] = child()
    print(json.dumps(told))


main()
