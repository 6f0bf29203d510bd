"""Jobs of RQ have streams of their own, in whichever worker they run."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, environment_of

PROGRAM = Path(__file__).parent / "programs/rq_jobs.py"

ENQUEUE = f"import {PROGRAM.stem} as program, json; print(json.dumps(program.main()))"

WORK = """
import os, sys, rq, redis
connection = redis.Redis(unix_socket_path=os.environ["RQ_SOCKET"])
getattr(rq, sys.argv[1])(["default"], connection=connection).work(with_scheduler=True)"""

Told = dict[str, Any]

_folders = itertools.count(1)


@contextmanager
def started(*command: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """Run a program meanwhile."""
    silent = subprocess.DEVNULL
    process = subprocess.Popen(command, env=env, stdout=silent, stderr=silent, cwd="/")
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def told(python: Path, place: Path, *workers: str, **env: str) -> Told:
    """What the program says of jobs that ran in workers of these classes."""
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.fail("no redis-server: install the Debian package of that name", pytrace=False)
    folder = place / f"redis-{next(_folders)}"
    folder.mkdir()
    variables = {"RQ_SOCKET": f"{folder}/socket", "PYTHONPATH": str(PROGRAM.parent)}
    variables = {"SEED": "7", **variables, **env}
    server = (redis, "--port", "0", "--unixsocket", f"{folder}/socket", "--save", "")
    with ExitStack() as stack:
        stack.enter_context(started(*server, "--dir", str(folder)))
        while not (folder / "socket").exists():
            pass
        for worker in workers:
            command = str(python), "-c", WORK, worker
            stack.enter_context(started(*command, env=environment_of(python, variables)))
        answered: Told = answer(python, "-c", ENQUEUE, env=variables, cwd=folder, timeout=200)
    return answered


@pytest.fixture(scope="module")
def forking(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """In two workers that fork for each job, with SEED=7."""
    return told(python, tmp_path_factory.mktemp("forking"), "Worker", "Worker")


def numbers(drawn: Any) -> list[float]:
    """Every number that was drawn."""
    if isinstance(drawn, float):
        return [drawn]
    parts = drawn.values() if isinstance(drawn, dict) else drawn
    return [number for part in parts for number in numbers(part)]


@pytest.mark.shows("RQ", "alike")
def test_no_two_jobs_draw_alike_and_a_retried_one_draws_the_same(forking: Told) -> None:
    second, first = forking["retried"]
    assert second == first
    drawn = numbers({**forking, "retried": second})
    assert len(set(drawn)) == len(drawn)
    assert len(forking["repeated"]) == 2


@pytest.mark.shows("RQ", "runs", "workers")
def test_jobs_draw_the_same_in_a_worker_that_runs_them_itself(
    python: Path, tmp_path: Path, forking: Told
) -> None:
    assert told(python, tmp_path, "SimpleWorker") == forking


@pytest.mark.shows("RQ", "seed", "control")
def test_another_seed_gives_other_numbers_and_none_gives_new_ones(
    python: Path, tmp_path: Path, forking: Told
) -> None:
    other = told(python, tmp_path, "Worker", SEED="8")
    off = told(python, tmp_path, "Worker", SEED_INIT="0")
    drawn = [set(numbers(each)) for each in (forking, other, off)]
    assert len(set.union(*drawn)) == sum(map(len, drawn))
    second, first = off["retried"]
    assert second != first
