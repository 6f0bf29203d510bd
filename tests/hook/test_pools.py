"""SEED_INIT_POOLS=item: what an item of a pool draws depends on the item, not on its worker."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output, run

from .support import program

ITEM = {"SEED": "7", "SEED_INIT_POOLS": "item"}


def drawn(python: Path, *arguments: str, **env: str) -> Any:
    return answer(python, program("pools"), *arguments, env={**ITEM, **env})


def numbers_in(told: Any) -> list[float]:
    if isinstance(told, float):
        return [told]
    parts = told.values() if isinstance(told, dict) else told
    return [number for part in parts for number in numbers_in(part)]


def test_an_item_draws_the_same_in_every_run(python: Path) -> None:
    first, second = (drawn(python, "2", "1", "fork") for _ in "12")
    assert first == second
    numbers = numbers_in(first)
    assert len(set(numbers)) == len(numbers) > 70
    other = drawn(python, "2", "1", "fork", SEED="8")
    free = [drawn(python, "2", "1", "fork", SEED_INIT="0") for _ in "12"]
    assert not set(numbers) & {*numbers_in(other), *numbers_in(free)}
    assert free[0] != free[1]


@pytest.mark.parametrize("arguments", ["3 4 fork", "1 2 spawn"])
def test_workers_and_chunks_change_nothing(python: Path, arguments: str) -> None:
    assert drawn(python, *arguments.split()) == drawn(python, "2", "1", "fork")


def test_a_copy_of_multiprocessing_has_items_as_well(python: Path) -> None:
    one, two = (
        drawn(python, workers, chunk, "fork", "multiprocess")
        for workers, chunk in (("1", "3"), ("2", "1"))
    )
    assert one == two
    numbers = numbers_in(one)
    assert len(set(numbers)) == len(numbers)


def test_the_program_itself_draws_what_it_draws_by_default(python: Path) -> None:
    by_worker = drawn(python, "2", "1", "fork", SEED_INIT_POOLS="worker")
    by_item = drawn(python, "2", "1", "fork")
    assert by_worker.pop("main") == by_item.pop("main")
    assert not set(numbers_in(by_worker)) & set(numbers_in(by_item))


def test_by_default_nothing_is_wrapped(python: Path) -> None:
    code = """
import concurrent.futures as futures, json, multiprocessing.pool as pools, sys
submit = [getattr(futures, name).submit for name in ("ProcessPoolExecutor", "ThreadPoolExecutor")]
wrapped = [hasattr(each, "__wrapped__") for each in (*submit, pools.Pool.apply_async)]
print(json.dumps([wrapped, [name for name in sys.modules if name.startswith("seed_init.engines")]]))
"""
    assert answer(python, "-c", code, env={"SEED": "7"}) == [[False] * 3, []]
    wrapped, engines = answer(python, "-c", code, env=ITEM)
    assert all(wrapped)
    assert "seed_init.engines.pools" in engines


def test_tasks_same_and_leave_hold_for_items(python: Path) -> None:
    by_worker = drawn(python, "1", "1", "fork", SEED_INIT_POOLS="worker")
    assert drawn(python, "1", "1", "fork", SEED_INIT_TASKS="same") == by_worker
    left = [drawn(python, "1", "1", "fork", SEED_INIT_TASKS="leave") for _ in "12"]
    assert left[0]["map"] != left[1]["map"]
    assert len(set(numbers_in(left))) == len(numbers_in(left)) - 2  # the program itself


THREADS = """
import json, random, sys, threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
import seed_init
def draw(*_):
    return random.Random().random()
count = int(sys.argv[1])
with ThreadPoolExecutor(count) as executor:
    told = [[each.result() for each in [executor.submit(draw) for _ in range(5)]]]
    told.append(list(executor.map(draw, range(5))))
with ThreadPool(count) as pool:
    told += [pool.map(draw, range(5)), list(pool.imap(draw, range(5))), [pool.apply(draw)]]
told.append([random.random(), draw()])
print(json.dumps(told))
"""


def test_in_threads_generators_without_a_seed_follow_the_item(python: Path) -> None:
    one, four = (answer(python, "-c", THREADS, count, env=ITEM) for count in "14")
    assert one == four
    assert len(set(numbers_in(one))) == len(numbers_in(one))
    plain = answer(python, "-c", THREADS, "1", env={"SEED": "7"})
    assert one[-1] == plain[-1]  # the default generators go on
    assert answer(python, "-c", THREADS, "1", env={**ITEM, "SEED": "8"})[0] != one[0]
    assert answer(python, "-c", THREADS, "1", env={**ITEM, "SEED_INIT": "0"})[0] != one[0]


HARMLESS = """
import functools, json, sys, traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

class Adder:
    def __init__(self, more): self.more = more
    def __call__(self, number): return number + self.more
    def add(self, number): return number + self.more

def divide(number):
    return 6 // number

def failing():
    yield 1
    raise OSError("the iterable")

def outcome(call, *arguments, **keywords):
    try:
        return repr(call(*arguments, **keywords))
    except BaseException as error:
        cause = str(error.__cause__ or "")
        return [type(error).__name__, str(error), "divide" in cause]

if __name__ == "__main__":
    told = []
    with get_context("fork").Pool(2) as pool:
        run = functools.partial(outcome, pool.map)
        told += [run(each, [1, 2]) for each in (divide, abs, Adder(1), Adder(1).add, str.strip)]
        told += [run(functools.partial(pow, 2), [3]), run(lambda number: number, [1])]
        told += [run(divide, []), run(divide, failing()), outcome(pool.apply, divide, (0,))]
        told += [outcome(lambda: list(pool.imap(divide, failing(), chunk))) for chunk in (1, 2)]
        told += [outcome(pool.map, divide), outcome(pool.apply), outcome(pool.apply, pow, (2, 3))]
        told.append(outcome(pool.apply, int, kwds={"x": 1}))
    for kind in (ProcessPoolExecutor, ThreadPoolExecutor):
        with kind(2) as executor:
            told += [outcome(lambda: list(executor.map(divide))), outcome(executor.submit)]
            told += [outcome(lambda: list(executor.map(divide, [1, 2], chunksize=2)))]
            told += [outcome(executor.submit(divide, 0).result), outcome(executor.submit, None)[:1]]
            told += [outcome(executor.submit(int, "11", base=2).result)]
        told += [outcome(executor.submit, divide, 1)]
    print(json.dumps(told))
"""


def test_what_runs_by_worker_runs_by_item_and_fails_alike(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "harmless.py"
    file.write_text(HARMLESS)
    expected = output(python, file, env={"SEED": "7"})
    shown = output(python, file, env=ITEM)
    assert without_addresses(shown) == without_addresses(expected)
    assert "integer division" in shown and "the iterable" in shown and "<lambda>" in shown


def without_addresses(text: str) -> list[Any]:
    told: list[Any] = json.loads(re.sub("0x[0-9a-f]+", "0x", text))
    return told


def test_what_is_wrapped_looks_as_before(python: Path) -> None:
    code = """
import concurrent.futures as futures, inspect, json, multiprocessing.pool as pools
told = [futures.ProcessPoolExecutor.submit, futures.ProcessPoolExecutor.map,
    futures.ThreadPoolExecutor.submit, pools.Pool.apply_async, pools.Pool._get_tasks]
print(json.dumps([[each.__module__, each.__qualname__, str(inspect.signature(each)), each.__doc__]
    for each in told]))
"""
    assert output(python, "-c", code, env=ITEM) == output(python, "-c", code, env={"SEED": "7"})


def test_an_item_looks_like_its_function_also_pickled(python: Path) -> None:
    code = """
import json, pickle
from operator import add
from seed_init.engines.items import InOrder, Item
for kind in (Item, InOrder):
    item = pickle.loads(pickle.dumps(kind("test", add, ("a",), 7, 1)))
    assert item(1, 2) == 3
    assert (item.__name__, repr(item)) == (add.__name__, repr(add))
batch = InOrder("test", add, ("a",), 7, 1).since(5)
assert pickle.loads(pickle.dumps(batch)).first == 5
"""
    output(python, "-c", code, env=ITEM)


@pytest.mark.parametrize("module", ["multiprocessing.pool", "concurrent.futures.process"])
def test_a_release_that_is_not_known_is_told_once(python: Path, module: str) -> None:
    code = f"""
import sys, types
from seed_init import engines
sys.modules["{module}"] = types.ModuleType("{module}")
engines.imported("{module}")
"""
    done = run(python, "-c", code, env=ITEM)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert re.match(r"seed_init: this release of \S+ is not known \(KeyError: ", line)
    assert line.endswith("have no streams of their own, as with SEED_INIT_POOLS=worker")


def test_status_shows_the_item_in_its_worker(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "shown.py"
    file.write_text(
        textwrap.dedent("""
        import json, multiprocessing, seed_init
        def show(_):
            return seed_init.status()["unit"]
        if __name__ == "__main__":
            with multiprocessing.Pool(1) as pool:
                print(json.dumps(pool.map(show, range(2))))
    """)
    )
    path = ["multiprocessing", "call", 1]
    assert answer(python, file, env=ITEM) == [
        {"engine": "multiprocessing", "path": [*path, number]} for number in range(2)
    ]
