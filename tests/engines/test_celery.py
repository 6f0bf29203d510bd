"""Tasks of Celery have streams of their own, in whichever worker of whichever node they run."""

import itertools
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, environment_of

PROGRAM = Path(__file__).parent / "programs/celery_app.py"

PUBLISH = f"import {PROGRAM.stem} as program, json; print(json.dumps(program.main()))"

PREFORK = ("--pool=prefork", "--concurrency=2")

QUIET = ("--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")

Told = dict[str, Any]
Env = dict[str, str | None]

_folders = itertools.count(1)


def told(
    python: Path,
    place: Path,
    *pool: str,
    nodes: str = "a",
    seed: str = "7",
    node: Env | None = None,
    **env: str | None,
) -> Told:
    """What the program says of tasks that ran in some nodes.

    Args:
        python: the interpreter of both.
        place: gets a folder that is the broker.
        pool: options of the nodes.
        nodes: a letter each.
        seed: of nodes and program.
        node: on top of the environment of the nodes.
        env: on top of the program's.
    """
    folder = place / f"broker-{next(_folders)}"
    for part in ("q", "control", "results"):
        (folder / part).mkdir(parents=True)
    both: Env = {"CELERY_FOLDER": str(folder), "SEED": seed, "C_FORCE_ROOT": "1"}
    both["PYTHONPATH"] = str(PROGRAM.parent)
    with running(python, folder, nodes, pool, {**both, **(node or {})}):
        answered: Told = answer(python, "-c", PUBLISH, env={**both, **env}, cwd=folder, timeout=300)
    return answered


@contextmanager
def running(
    python: Path, folder: Path, nodes: str, pool: tuple[str, ...], env: Env
) -> Iterator[None]:
    """Run worker nodes meanwhile."""
    command = [python, "-m", "celery", "-A", PROGRAM.stem, "worker", *QUIET, *pool]
    started = [
        subprocess.Popen(
            [*map(str, command), "-n", f"{name}@%h"],
            env=environment_of(python, env),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=(folder / f"{name}.log").open("w"),
        )
        for name in nodes
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


@pytest.fixture(scope="module")
def prefork(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """In one node that has two workers, with SEED=7."""
    return told(python, tmp_path_factory.mktemp("prefork"), *PREFORK)


def numbers(drawn: Any) -> list[float]:
    """Every number that was drawn."""
    if isinstance(drawn, float):
        return [drawn]
    parts = drawn.values() if isinstance(drawn, dict) else drawn
    return [number for part in parts for number in numbers(part)]


def are_distinct(answered: Told) -> bool:
    """Whether no two tasks drew alike, where the retried one's second try is as the first."""
    second, first = answered["retried"]
    drawn = numbers({**answered, "retried": second})
    return second == first and len(set(drawn)) == len(drawn)


@pytest.mark.shows("Celery", "alike")
def test_no_two_tasks_draw_alike_and_a_retried_one_draws_the_same(prefork: Told) -> None:
    assert are_distinct(prefork)


@pytest.mark.shows("Celery", "runs", "workers")
def test_tasks_draw_the_same_in_two_nodes_that_have_another_seed(
    python: Path, tmp_path: Path, prefork: Told
) -> None:
    """The seed of who has published them holds."""
    pool = ("--pool=prefork", "--concurrency=1")
    assert told(python, tmp_path, *pool, nodes="ab", node={"SEED": "9"}) == prefork


def test_tasks_draw_the_same_in_the_node_itself(
    python: Path, tmp_path: Path, prefork: Told
) -> None:
    """But for tasks that wait, which Celery's timer runs in a thread, beside the others."""
    solo = told(python, tmp_path, "--pool=solo", NO_CHORD="1")
    assert solo == {**prefork, "chord": []}


def test_threads_of_two_nodes_share_no_generator(
    python: Path, tmp_path: Path, prefork: Told
) -> None:
    """In threads, only generators that are made without a seed follow the task."""
    threads = told(python, tmp_path, "--pool=threads", "--concurrency=1", nodes="ab")
    shared = [drawn[:2] for drawn in [*threads["tasks"], *threads["chord"], *threads["chain"]]]
    assert len(set(numbers(shared))) == 2 * len(shared)
    assert [each[2:] for each in threads["tasks"]] == [each[2:] for each in prefork["tasks"]]


def test_a_task_that_the_program_calls_draws_as_in_a_worker(
    python: Path, tmp_path: Path, prefork: Told
) -> None:
    called = told(python, tmp_path, nodes="", EAGER="1")
    for part in ("tasks", "retried", "program"):
        assert called[part] == prefork[part]
    assert are_distinct(called)


def test_a_message_without_our_header_goes_by_its_id(
    python: Path, tmp_path: Path, prefork: Told
) -> None:
    """Its producer has no hook: each task draws its own numbers, a retried one the same."""
    foreign = told(python, tmp_path, *PREFORK, SEED_INIT="0")
    assert are_distinct(foreign)
    assert not set(numbers(foreign["tasks"])) & set(numbers(prefork["tasks"]))


@pytest.mark.shows("Celery", "seed", "control")
def test_another_seed_gives_other_numbers_and_none_gives_new_ones(
    python: Path, tmp_path: Path, prefork: Told
) -> None:
    other = told(python, tmp_path, *PREFORK, seed="8")
    off = told(python, tmp_path, *PREFORK, node={"SEED_INIT": "0"}, SEED_INIT="0")
    drawn = [set(numbers(each)) for each in (prefork, other, off)]
    assert len(set.union(*drawn)) == sum(map(len, drawn))
    second, first = off["retried"]
    assert second != first


def test_a_header_that_is_not_ours_is_not_believed(python: Path) -> None:
    code = """
        import json
        import seed_init.engines.celery as adapter
        wrong = [{"path": [1.5], "seed": 7}, {"path": "ab", "seed": 7}, {"path": ["a"], "seed": -1},
                 {"path": ["a"], "seed": 2**32}, {"path": ["a"]}, {"seed": 7}]
        texts = [json.dumps({"id": "x", **each}) for each in wrong] + ["[]", "{", "7", None, 7]
        told = [adapter._told({"seed_init": each}, "x") for each in texts]
        right = json.dumps({"id": "x", "path": ["a", 1], "seed": 7})
        others = [adapter._told({"seed_init": right}, identity) for identity in "xy"]
        print(json.dumps([told, others]))
    """
    told, others = answer(python, "-c", textwrap.dedent(code), env={"SEED": "7"})
    assert set(map(str, told)) == {"None"}
    assert others == [[["a", 1], 7], None]
