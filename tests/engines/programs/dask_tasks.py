"""Draws in tasks of Dask, and prints as JSON what each of them drew.

dask_tasks.py sync | threads | processes
dask_tasks.py cluster | program WORKERS THREADS
dask_tasks.py ADDRESS
"""

import json
import sys
import time

import dask


def draw(number: object = None) -> list[float]:
    """What the four kinds of generators give: two that the process has, two without a seed."""
    import random

    import numpy

    time.sleep(0.01 * random.SystemRandom().random())  # so that no order of tasks repeats
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), float(numpy.random.rand()), *map(float, made)]


def parent(number: int) -> list[list[float]]:
    """A task that waits for others, and draws before and after them."""
    from dask.distributed import get_client, rejoin, secede

    first, client = draw(), get_client()
    secede()
    inner = client.gather([client.submit(draw, pure=False) for _ in "12"])
    rejoin()
    return [first, *inner, draw()]


async def coroutine(number: int) -> list[float]:
    return draw()


class Actor:
    first: tuple[float, ...] = ()  # Dask asks the class for the names of attributes

    def __init__(self) -> None:
        self.first = tuple(draw())

    def draw(self) -> list[float]:
        return draw()


def graph(scheduler: str) -> dict[str, list[list[float]]]:
    workers = {} if scheduler == "sync" else {"num_workers": 2}
    graphs = [dask.delayed(draw)(0) for _ in range(5)]
    return {"delayed": list(dask.compute(*graphs, scheduler=scheduler, **workers))}


def with_client(client: "distributed.Client") -> dict[str, list[list[float]]]:
    actors = [client.submit(Actor, actor=True).result() for _ in "12"]
    return {
        "map": client.gather(client.map(draw, range(8))),
        "impure": client.gather(client.map(draw, [0] * 8, pure=False)),
        "submit": client.gather([client.submit(draw, pure=False) for _ in range(5)]),
        "named": [client.submit(draw, key="a name").result()],
        "delayed": list(dask.compute(*[dask.delayed(draw)(0) for _ in range(5)])),
        "inner": [each for n in "12" for each in client.submit(parent, n).result()],
        "actors": [list(each.first) for each in actors]
        + [each.draw().result() for _ in "12" for each in actors],
        "program": [draw()],
        "coroutines": client.gather(client.map(coroutine, range(3))),
        "outside": list(client.run(draw).values()),
    }


if __name__ == "__main__":
    where = sys.argv[1]
    if where in ("sync", "threads", "processes"):
        told = graph(where) | {"program": [draw()]}
    else:
        import distributed

        if where in ("cluster", "program"):
            workers, threads = map(int, sys.argv[2:])
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=threads,
                processes=where == "cluster",
                dashboard_address=None,
            )
        with distributed.Client(cluster if where in ("cluster", "program") else where) as client:
            told = with_client(client)
        if where in ("cluster", "program"):
            cluster.close()
    print(json.dumps(told))
