"""With SEED_INIT_POOLS=item an item of joblib has streams of its own, whichever backend runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output

PROGRAM = Path(__file__).parent / "programs/joblib_items.py"
ITEM = {"SEED": "7", "SEED_INIT_POOLS": "item"}

Drawn = dict[str, Any]


@pytest.fixture(scope="module")
def drawn(python: Path) -> Callable[..., Drawn]:
    """What the program has drawn; the same call is not run again, unless `run` differs."""
    done: dict[object, Drawn] = {}

    def draw(words: str, run: int = 1, **env: str) -> Drawn:
        key = words, run, tuple(env.items())
        if key not in done:
            done[key] = answer(python, PROGRAM, *words.split(), env={**ITEM, **env}, timeout=120)
        return done[key]

    return draw


def numbers_in(told: Any) -> list[float]:
    if isinstance(told, float):
        return [told]
    parts = told.values() if isinstance(told, dict) else told
    return [number for part in parts for number in numbers_in(part)]


@pytest.mark.shows("joblib", "runs", "alike", "seed")
def test_an_item_draws_the_same_in_every_run(drawn: Callable[..., Drawn]) -> None:
    first, second, third = (drawn("2 loky 1", run=number) for number in range(3))
    assert first == second == third
    numbers = numbers_in(first)
    assert len(set(numbers)) == len(numbers) > 70
    assert not set(numbers) & set(numbers_in(drawn("2 loky 1", SEED="8")))


@pytest.mark.shows("joblib", "workers")
@pytest.mark.parametrize("words", ["3 loky 4", "1 loky auto", "2 multiprocessing auto"])
def test_workers_batches_and_backends_change_nothing(
    drawn: Callable[..., Drawn], words: str
) -> None:
    expected = drawn("2 loky 1")
    told = drawn(words)
    assert told == {kind: expected[kind] for kind in told}


def test_in_threads_generators_without_a_seed_follow_the_item(drawn: Callable[..., Drawn]) -> None:
    told, expected = drawn("2 threading 1"), drawn("2 loky 1")
    for kind in ("first", "second", "cached", "lambda"):
        assert [each[2] for each in told[kind]] == [each[2] for each in expected[kind]]
    assert len(set(numbers_in(told))) == len(numbers_in(told))


@pytest.mark.shows("joblib", "control")
def test_without_the_hook_items_vary(drawn: Callable[..., Drawn]) -> None:
    first, second = (drawn("2 loky 1", run=number, SEED_INIT="0") for number in range(2))
    assert not set(numbers_in(first)) & set(numbers_in(second))


def test_by_default_streams_go_by_the_worker(drawn: Callable[..., Drawn]) -> None:
    by_worker = drawn("1 loky 1", SEED_INIT_POOLS="worker")
    drawn_on = [each for kind in ("first", "second", "cached") for each in by_worker[kind]]
    assert len({each[0] for each in drawn_on}) == len(drawn_on)
    assert by_worker["first"] != drawn("1 loky 1")["first"]
    assert by_worker["first"][0][:2] == drawn("1 loky auto")["main"][0][:2]  # the program's own


def test_the_executor_that_joblib_brings_along_has_items(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "executor.py"
    program.write_text(
        """
import json, random, sys
from joblib.externals.loky import get_reusable_executor
def draw(_):
    return random.random()
if __name__ == "__main__":
    executor = get_reusable_executor(int(sys.argv[1]))
    told = list(executor.map(draw, range(5), chunksize=int(sys.argv[2])))
    print(json.dumps(told + [executor.submit(draw, 1).result() for _ in range(3)]))
"""
    )
    one, two = (answer(python, program, *words, env=ITEM) for words in (("1", "3"), ("2", "1")))
    assert one == two
    assert len(set(one)) == 8


def test_what_is_wrapped_looks_as_before(python: Path) -> None:
    code = """
import inspect, joblib
call = joblib.Parallel.__call__
print(call.__module__, call.__qualname__, inspect.signature(call), call.__doc__)
try:
    joblib.Parallel(n_jobs=1)([1])
except Exception as error:
    print(type(error), error)
"""
    assert output(python, "-c", code, env=ITEM) == output(python, "-c", code, env={"SEED": "7"})
