"""Print what children draw on a device, or why they cannot.

children.py spawn DEVICE    each of three workers draws, and so does the parent
children.py fork DEVICE     the parent draws first; then a forked child tries to
children.py idle DEVICE     the parent has not started CUDA; a forked child draws
"""

import json
import multiprocessing
import sys

import torch


def draw(device):
    return torch.rand(4, device=device).tolist()


def tell(queue, device):
    try:
        queue.put(draw(device))
    except Exception as raised:
        queue.put(f"{type(raised).__name__}: {raised}")


def ask(context, device):
    """What a child says; in a forked one the hook has seeded by then."""
    queue = context.SimpleQueue()
    child = context.Process(target=tell, args=(queue, device))
    child.start()
    answer = queue.get()
    child.join()
    return answer


def main():
    how, device = sys.argv[1:]
    context = multiprocessing.get_context("spawn" if how == "spawn" else "fork")
    parent = draw(device) if how != "idle" else None
    children = [ask(context, device) for _ in range(3)]
    print(json.dumps({"parent": parent, "children": children}))


if __name__ == "__main__":
    main()
