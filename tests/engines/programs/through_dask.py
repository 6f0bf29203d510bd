"""Tasks of Dask that train and draw, for commands that observe a run.

Arguments: cluster (two workers of this program's), programs (a scheduler and two workers that are
programs of their own) or the file of a scheduler that runs; and a word that is in all keys. In a
cluster the workers change places from one run to the next. With WILD set a task draws as many
numbers as the operating system says, with TRAIN set two tasks train.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy


def train(steps: int) -> float:
    import torch

    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).sum().backward()
        optimizer.step()
    return float(model.weight.sum())


def draw() -> list[float]:
    return [random.random(), float(numpy.random.rand())]


def wild() -> None:
    for _ in range(1 + os.urandom(1)[0] if "WILD" in os.environ else 1):
        random.random()


def told() -> list[str]:
    import seed_init
    from seed_init.cli import status

    return status.as_lines(seed_init.status())


def submitted(client, word: str, workers: list[str]):  # type: ignore[no-untyped-def]
    """Submit the tasks, to one worker and another in turn; what they give."""
    asked = [(draw,), (draw,), (wild,), (told,)]
    if "TRAIN" in os.environ:
        asked += [(train, 1), (train, 2)]
    futures = [
        client.submit(
            *task, key=f"{task[0].__name__}-{number}-{word}", workers=workers[number % len(workers)]
        )
        for number, task in enumerate(asked)
    ]
    return client.gather(futures)


def in_turn(workers: list[str]) -> list[str]:
    """The workers, and in the next run of the program the other way round."""
    turn = Path("turn")
    if turn.exists():
        turn.unlink()
        return workers[::-1]
    turn.touch()
    return workers


def own_cluster(word: str):  # type: ignore[no-untyped-def]
    from dask.distributed import Client, LocalCluster

    here = {"host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(n_workers=2, threads_per_worker=1, **here) as cluster, Client(cluster) as by:
        workers = [worker.worker_address for _, worker in sorted(cluster.workers.items())]
        return submitted(by, word, in_turn(workers))


def joined(file: str, word: str, end: bool = False):  # type: ignore[no-untyped-def]
    from dask.distributed import Client

    with Client(scheduler_file=file) as client:
        client.wait_for_workers(2 if end else 1)
        workers = sorted(client.scheduler_info()["workers"])
        result = submitted(client, word, workers)
        if end:
            client.shutdown()
        return result


def programs(word: str):  # type: ignore[no-untyped-def]
    file = Path(tempfile.mkdtemp(), "scheduler.json")
    dask = sys.executable, "-m", "dask"
    given = "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)
    worker = *dask, "worker", *given[2:], "--nthreads", "1", "--no-nanny"
    commands = (*dask, "scheduler", *given, "--port", "0"), worker, worker
    started = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    while not file.exists():
        time.sleep(0.1)
    try:
        return joined(str(file), word, end=True)
    finally:
        for program in started:
            program.wait(60)


if __name__ == "__main__":
    where, word = sys.argv[1:]
    run = {"cluster": own_cluster, "programs": programs}.get(where)
    print(json.dumps(run(word) if run else joined(where, word)))
