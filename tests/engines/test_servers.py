"""Workers of web servers have the streams of their place, and one in another's place new ones."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.processes import environment_of

PROGRAM = Path(__file__).parent / "programs/web.py"

SERVERS = {
    "gunicorn": ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "web:wsgi"),
    "uvicorn": ("uvicorn", "--workers", "2", "--port", "{port}", "web:asgi"),
}

SLOTS = 2

Draws = tuple[float, ...]
Workers = dict[int, Draws]  # by process number


class Server:
    """A server with two workers that runs on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.workers: Workers = {}

    def meet(self, number: int) -> Workers:
        """Ask until that many workers have answered; their draws."""
        until = time.monotonic() + 120
        while len(self.workers) < number:
            assert time.monotonic() < until, f"only {len(self.workers)} workers answered"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
                    process, drawn = json.load(answer)
            except OSError:
                time.sleep(0.1)
                continue
            self.workers[process] = tuple(drawn)
        return self.workers


@contextmanager
def serving(python: Path, server: str, **env: str) -> Iterator[Server]:
    """Run a server meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [str(python), "-m", *(part.format(port=port) for part in SERVERS[server])],
        env=environment_of(python, {"SEED": "7", "PYTHONPATH": str(PROGRAM.parent), **env}),
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Server(port)
    finally:
        process.terminate()
        process.wait(60)


def replaced(server: Server, first: Draws) -> list[Draws]:
    """Kill the worker that drew `first` and then the other one; draws of who took their places."""
    workers = dict(server.meet(SLOTS))
    order = sorted(workers, key=lambda process: workers[process] != first)
    after = []
    for process in order:
        before = set(server.workers)
        os.kill(process, signal.SIGKILL)
        server.meet(len(before) + 1)
        [new] = set(server.workers) - before
        after.append(server.workers[new])
    return after


@pytest.mark.shows("{}", "runs", "alike")
@pytest.mark.most_used
@pytest.mark.parametrize("name", SERVERS)
def test_a_worker_goes_by_its_place_and_one_that_replaces_it_by_the_attempt(
    python: Path, name: str
) -> None:
    with serving(python, name) as server:
        one, two = sorted(set(server.meet(SLOTS).values()))
        after_one, after_two = replaced(server, one)
    with serving(python, name) as server:
        assert set(server.meet(SLOTS).values()) == {one, two}
        # Now the other one is killed first, which changes nothing for either place.
        assert replaced(server, two) == [after_two, after_one]
    every = [number for drawn in (one, two, after_one, after_two) for number in drawn]
    assert len(set(every)) == len(every)


@pytest.mark.shows("{}", "seed", "control")
@pytest.mark.most_used
@pytest.mark.parametrize("name", SERVERS)
def test_another_seed_gives_other_numbers_and_none_gives_new_ones(python: Path, name: str) -> None:
    drawn: list[float] = []
    for env in ({}, {"SEED": "8"}, {"SEED_INIT": "0"}):
        with serving(python, name, **env) as server:
            drawn += [number for each in server.meet(SLOTS).values() for number in each]
    assert len(set(drawn)) == len(drawn) == 3 * SLOTS * 4
