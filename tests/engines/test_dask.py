"""Tasks of Dask have streams of their own, by key, in whichever worker they run."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness.processes import answer, environment_of, output, run

PROGRAM = Path(__file__).parent / "programs/dask_tasks.py"

Drawn = dict[str, list[list[float]]]

FREE = ("coroutines", "outside")
"""What is no task that a thread runs: it varies where nobody gives the worker a name."""


@pytest.fixture(scope="module")
def drawn(python: Path) -> Callable[..., Drawn]:
    """What the program has drawn; the same call is not run again, unless `run` differs."""
    done: dict[object, Drawn] = {}

    def draw(*arguments: str, run: int = 1, **env: str) -> Drawn:
        key = arguments, run, tuple(env.items())
        if key not in done:
            given = {"SEED": "7", **env}
            done[key] = answer(python, PROGRAM, *arguments, env=given, timeout=300)
        return done[key]

    return draw


def units(drawn: Drawn) -> list[tuple[float, ...]]:
    return [tuple(each) for some in drawn.values() for each in some]


def tasks(drawn: Drawn) -> Drawn:
    return {kind: some for kind, some in drawn.items() if kind not in FREE}


def made(drawn: Drawn) -> Drawn:
    """What generators without a seed have drawn."""
    return {kind: [each[2:] for each in some] for kind, some in tasks(drawn).items()}


def assert_none_alike(drawn: Drawn) -> None:
    numbers = [number for unit in units(drawn) for number in unit]
    assert len(numbers) > 20
    assert len(set(numbers)) == len(numbers)


# --- a cluster ------------------------------------------------------------------------------------


@pytest.mark.shows("Dask", "runs", "alike", "seed")
@pytest.mark.most_used
def test_each_task_of_a_cluster_draws_the_same_in_every_run(drawn: Callable[..., Drawn]) -> None:
    first, second = (drawn("cluster", "2", "1", run=number) for number in (1, 2))
    assert tasks(first) == tasks(second)
    assert_none_alike(first)
    other = drawn("cluster", "2", "1", SEED="8")
    assert not set(units(first)) & set(units(other))


@pytest.mark.shows("Dask", "workers")
@pytest.mark.most_used
def test_another_number_of_workers_changes_nothing(drawn: Callable[..., Drawn]) -> None:
    assert tasks(drawn("cluster", "1", "1")) == tasks(drawn("cluster", "2", "1"))


@pytest.mark.shows("Dask", "control")
@pytest.mark.most_used
def test_the_tasks_of_a_cluster_vary_without_the_hook(drawn: Callable[..., Drawn]) -> None:
    first, second = (drawn("cluster", "2", "1", run=number, SEED_INIT="0") for number in (1, 2))
    assert_none_alike(first)
    assert not set(units(first)) & set(units(second))


@pytest.mark.parametrize("where", [("cluster", "1", "4"), ("program", "2", "1")])
def test_beside_other_threads_generators_without_a_seed_follow_the_task(
    drawn: Callable[..., Drawn], where: tuple[str, ...]
) -> None:
    told = drawn(*where)
    assert made(told) == made(drawn("cluster", "2", "1"))
    assert_none_alike(told)


@contextmanager
def cluster(python: Path, folder: Path, workers: int, seed: str) -> Iterator[str]:
    """A scheduler and workers that are programs of their own; gives the scheduler's address."""
    file = folder / "scheduler.json"
    dask, shared = str(python.parent / "dask"), ("--no-dashboard", "--host", "127.0.0.1")
    told = ("--scheduler-file", str(file), *shared)
    one = ("worker", *told, "--nthreads", "1", "--local-directory", str(folder))
    with ExitStack() as stack:

        def start(*arguments: str) -> None:
            program = subprocess.Popen(
                [dask, *arguments],
                env=environment_of(python, {"SEED": seed}),
                stderr=subprocess.DEVNULL,
                cwd=folder,
            )
            stack.callback(program.wait)
            stack.callback(program.terminate)

        start("scheduler", *told, "--port", "0")
        for _ in range(workers):
            start(*one)
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"]


@pytest.mark.shows("Dask, workers as programs", "runs", "alike", "workers")
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_are_programs_draw_what_the_clients_seed_gives(
    python: Path, tmp_path: Path, drawn: Callable[..., Drawn], workers: int
) -> None:
    with cluster(python, tmp_path, workers, seed="42") as address:
        told = answer(python, PROGRAM, address, env={"SEED": "7"}, timeout=300)
    assert tasks(told) == tasks(drawn("cluster", "2", "1"))
    assert_none_alike(told)


# --- Dask's own schedulers ------------------------------------------------------------------------


def test_the_schedulers_without_a_cluster_give_the_same(drawn: Callable[..., Drawn]) -> None:
    alone = drawn("sync")
    assert drawn("processes") == alone
    assert made(drawn("threads")) == made(alone)
    assert alone["delayed"] == drawn("cluster", "2", "1")["delayed"]
    for scheduler in ("sync", "threads", "processes"):
        assert_none_alike(drawn(scheduler))
        assert drawn(scheduler, SEED_INIT="0") != drawn(scheduler, SEED_INIT="0", run=2)


COLLECTIONS = """
import dask, dask.array, dask.bag.random, dask.dataframe, json, numpy, pandas, random
dask.config.set(scheduler="sync")
numbers = dask.array.random.random(4, chunks=2)
bag = dask.bag.from_sequence(range(100), npartitions=2)
frame = dask.dataframe.from_pandas(pandas.DataFrame({"x": range(100)}), npartitions=2)
print(json.dumps([
    numbers.compute().tolist(), dask.bag.random.choices(bag, 5).compute(),
    bag.random_sample(0.1).compute(), frame.sample(frac=0.1).x.compute().tolist(),
    bag.map(lambda _: random.random()).compute(), random.random(),
    frame.map_partitions(lambda part: part.x + numpy.random.rand()).compute().tolist(),
]))
"""


def test_random_parts_of_collections_follow_the_seed(python: Path) -> None:
    first, second, other, free, again = (
        answer(python, "-c", COLLECTIONS, env=env)
        for env in ({"SEED": "7"}, {"SEED": "7"}, {"SEED": "8"}, {}, {})
    )
    assert first == second
    for number in range(len(first)):
        assert first[number] != other[number]
        assert free[number] != again[number]


# --- no harm --------------------------------------------------------------------------------------

KEYS = """
import dask, distributed.client, json, uuid
def f(): pass
keys = [dask.delayed(f)().key for _ in "12"]
graph = distributed.client._MapExpr(f, [[1, 2]], key="f", pure=False, annotations={}, kwargs={})
print(json.dumps([*keys, *graph.keys]))
"""


def test_keys_that_are_to_be_unique_stay_so(python: Path) -> None:
    """Else two clients of one scheduler would share what is not to be shared."""
    first, second = (answer(python, "-c", KEYS, env={"SEED": "7"}) for _ in "12")
    assert len({*first, *second}) == 8
    for one, other in zip(first, second):
        assert one.split("-")[5:] == other.split("-")[5:]  # most of what the streams go by
    plain = answer(python, "-c", KEYS, env={})
    assert [len(key) for key in plain] == [len(key) for key in first]


def test_what_dask_sets_for_its_workers_is_no_drift(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, dask\nif __name__ == '__main__':\n    import torch\n"
        "    dask.compute(dask.delayed(abs)(1), scheduler='processes', num_workers=1)\n"
        "    print(os.environ['PYTHONHASHSEED'])\n"
    )
    done = run(python, program, env={"SEED": "7"}, timeout=300)
    assert done.stdout == "6640\n", done.stderr
    assert "at exit" not in done.stderr


def test_a_release_that_is_not_known_is_told_once(python: Path) -> None:
    code = """
import sys, types
from seed_init import engines
sys.modules["distributed.worker"] = types.ModuleType("distributed.worker")
engines.imported("distributed.worker")
"""
    done = run(python, "-c", code, env={"SEED": "7"})
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith("seed_init: this release of Dask is not known (AttributeError: ")


def test_what_is_wrapped_looks_as_before(python: Path) -> None:
    code = """
import inspect, pickle, distributed, distributed.worker, dask.local, json
told = [distributed.Client.submit, distributed.Client._graph_to_futures, dask.local.get_async,
    distributed.secede, distributed.rejoin, distributed.Worker]
print(json.dumps([[each.__module__, each.__qualname__, list(inspect.signature(each).parameters)]
    for each in told]))
run = distributed.worker._run_task_simple
assert pickle.loads(pickle.dumps(run)) is run
"""
    assert output(python, "-c", code, env={"SEED": "7"}) == output(python, "-c", code)


def test_the_commands_of_the_lane_run_with_the_hook(python: Path) -> None:
    done = run(python.parent / "dask", "--version", env={"SEED": "seven"})
    assert done.returncode == 78, done.stderr
    shown = output(python.parent / "dask", "--version", env={"SEED": "7"})
    assert shown.startswith("dask, version")
