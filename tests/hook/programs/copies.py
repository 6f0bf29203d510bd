"""Print as JSON what the workers draw that several copies of multiprocessing start.

usage: copies.py START_METHOD PACKAGE...

Of each package: a pool of two, and a process that starts one of the same package and one of the
next; multiprocessing itself comes after the last.
"""

import importlib
import json
import os
import random
import sys

import numpy

METHOD, *PACKAGES = sys.argv[1:]
held = random.Random(), numpy.random.default_rng()


def context(package):
    return importlib.import_module(package).get_context(METHOD)


def draw():
    """What is drawn here, and what the hook takes this process for."""
    hook = sys.modules.get("seed_init.hook")
    made = [random.Random().random(), numpy.random.default_rng().random()]
    drawn = [random.random(), numpy.random.rand(), *made, *(one.random() for one in held)]
    return {"drawn": drawn, "main": hook is not None and hook.state.is_main()}


def tell(queue):
    queue.put(draw())


def meet(queue, barrier):
    """Run once in each worker of a pool: nobody goes on before all have told."""
    tell(queue)
    barrier.wait(60)


def nothing(_):
    return None


def by_process(package, target, *arguments):
    there = context(package)
    queue = there.SimpleQueue()
    process = there.Process(target=target, args=(queue, *arguments))
    process.start()
    process.join()
    assert process.exitcode == 0
    return queue.get()


def tell_nested(queue, packages):
    told = {"child": draw()}
    queue.put(told | {f"its {name}": by_process(name, tell) for name in packages})


def by_pool(package):
    there = context(package)
    queue, barrier = there.SimpleQueue(), there.Barrier(2)
    # Two children at a time: the first of two may not be the first to tell.
    pool = there.Pool(2, meet, (queue, barrier))
    pool.map(nothing, range(2))
    told = [queue.get() for _ in range(2)]
    pool.terminate()
    pool.join()
    return sorted(told, key=lambda one: one["drawn"])


def main():
    told = {"parent": draw()}
    for package, following in zip(PACKAGES, [*PACKAGES[1:], "multiprocessing"]):
        told |= {f"{package}'s worker {n}": one for n, one in enumerate(by_pool(package))}
        nested = by_process(package, tell_nested, [package, following])
        told |= {f"{package}'s {name}": one for name, one in nested.items()}
    print(json.dumps(told), flush=True)
    # Billiard's threads keep some programs from ending.
    os._exit(0)


if __name__ == "__main__":
    main()
