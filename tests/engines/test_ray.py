"""Units of work of Ray have streams of their own, by their number, in whichever worker they run."""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import interpreters
from harness.processes import answer, environment_of, output, run

PROGRAMS = Path(__file__).parent / "programs"

QUIET = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "SEED": None}
"""Writes no token into the home of whoever runs the tests, and tells nobody."""

START = "from ray.scripts.scripts import main; main()"

SEEDED_WITH_5 = [0.6229016948897019, 0.7417869892607294, 0.7951935655656966]
"""The first numbers of `random.Random(5)`."""


@contextmanager
def node(python: Path, directory: str, *arguments: str, **env: str | None) -> Iterator[None]:
    """A node of a cluster, with one worker at a time; it ends with all that it has started."""
    command = [python, "-c", START, "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    process = subprocess.Popen(
        [str(part) for part in (*command, "--node-ip-address=127.0.0.1", *arguments)],
        env=environment_of(python, {**QUIET, "TMPDIR": directory, **env}),
        cwd=directory,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def head(python: Path, stack: ExitStack, **env: str | None) -> tuple[str, str]:
    """Start the head of a cluster; its address and its directory, whose name has to be short."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp", prefix="ray"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={directory}"
    stack.enter_context(node(python, directory, *more, **env))
    wait(python, f"127.0.0.1:{port}", 1)
    return f"127.0.0.1:{port}", directory


def wait(python: Path, address: str, nodes: int) -> None:
    """Wait until a cluster has its nodes."""
    code = f"import ray; ray.init({address!r}); print(sum(n['Alive'] for n in ray.nodes()))"
    end = time.monotonic() + 150
    while time.monotonic() < end:
        done = run(python, "-c", code, env={**QUIET, "SEED_INIT": "0"}, timeout=100)
        if done.stdout.strip() == str(nodes):
            return
        time.sleep(1)
    pytest.fail(f"the cluster does not start: {done.stderr}")


@pytest.fixture(scope="module")
def cluster(python: Path) -> Iterator[str]:
    """Two nodes, which nobody has asked for seeds when they began; the address."""
    with ExitStack() as stack:
        address, directory = head(python, stack)
        stack.enter_context(node(python, directory, f"--address={address}"))
        wait(python, address, 2)
        yield address


@pytest.fixture(scope="module")
def told(python: Path, cluster: str) -> Callable[..., Any]:
    """What the program tells; the same call is not run again, unless `run` differs."""
    done: dict[object, Any] = {}

    def tell(where: str = "cluster", run: int = 1, **env: str) -> Any:
        key = where, run, tuple(env.items())
        if key not in done:
            address = cluster if where == "cluster" else where
            asked = [] if env.get("SEED_INIT") else ["--status"]
            done[key] = answer(
                python, PROGRAMS / "ray_units.py", address, *asked, env=given(**env), timeout=300
            )
        return done[key]

    return tell


def given(**env: str) -> dict[str, str | None]:
    return {**QUIET, "SEED": "7", **env}


def units(told: Any) -> list[tuple[float, ...]]:
    return [tuple(each) for some in told["drawn"].values() for each in some]


def assert_none_alike(told: Any) -> None:
    numbers = [number for unit in units(told) for number in unit]
    assert len(numbers) > 150
    assert len(set(numbers)) == len(numbers)


@pytest.mark.shows("Ray", "runs", "alike", "seed")
@pytest.mark.most_used
def test_each_unit_draws_the_same_in_every_run(told: Callable[..., Any]) -> None:
    """Also a unit of a program whose workers nobody has asked for a seed."""
    first, second = told(), told(run=2)
    assert first["drawn"] == second["drawn"]
    assert_none_alike(first)
    assert not set(units(first)) & set(units(told(SEED="8")))


@pytest.mark.shows("Ray", "workers")
@pytest.mark.most_used
def test_another_number_of_workers_changes_nothing(told: Callable[..., Any]) -> None:
    """One worker on this machine against two nodes."""
    assert told("local")["drawn"] == told()["drawn"]


@pytest.mark.shows("Ray", "control")
@pytest.mark.most_used
def test_the_units_vary_without_the_hook(told: Callable[..., Any]) -> None:
    first, second = (told(run=number, SEED_INIT="0") for number in (1, 2))
    assert_none_alike(first)
    assert not set(units(first)) & set(units(second))


def test_a_task_that_is_tried_again_draws_what_it_drew(told: Callable[..., Any]) -> None:
    first, second = told()["retried"]
    assert first == second
    first, second = told(SEED_INIT="0")["retried"]
    assert first != second


def test_a_seed_of_an_actors_own_holds_in_all_its_calls(told: Callable[..., Any]) -> None:
    assert [each[0] for each in told()["seeded"]] == SEEDED_WITH_5
    others = [tuple(each[1:]) for each in told()["seeded"]]
    assert len({number for each in others for number in each}) == 9


def test_a_task_tells_which_unit_it_is(told: Callable[..., Any]) -> None:
    (first, one), (second, other) = told()["status"]
    assert first == {"engine": "Ray", "path": ["ray", "task", "status", 1]}
    assert second == {"engine": "Ray", "path": ["ray", "task", "status", 2]}
    assert one != other


def test_ray_draws_nothing_of_the_programs(python: Path, told: Callable[..., Any]) -> None:
    """Names and ports of Ray do not come from the streams: two programs would have the same."""
    code = "import random, numpy; print(random.random(), numpy.random.rand())"
    drawn = told()["drawn"]["driver"][0][:2]
    assert " ".join(map(str, drawn)) == output(python, "-c", code, env={"SEED": "7"})


@pytest.mark.shows("Ray Tune", "runs", "alike", "seed", "control")
def test_each_trial_of_tune_has_streams_of_its_own(python: Path, cluster: str) -> None:
    def trials(*arguments: str, **env: str) -> Any:
        program = PROGRAMS / "ray_tune.py"
        return answer(python, program, cluster, *arguments, env=given(**env), timeout=300)

    first = trials()
    assert len({number for each in first for number in each}) == 15
    assert trials("reuse") == first
    assert trials(SEED="8") != first
    assert trials(SEED_INIT="0") != trials(SEED_INIT="0")


@pytest.mark.shows("Ray Train", "alike", "control")
def test_the_ranks_of_a_training_job_are_alike_unless_they_shall_not_be(
    python: Path, cluster: str
) -> None:
    def ranks(**env: str) -> Any:
        return answer(python, PROGRAMS / "ray_train.py", cluster, env=given(**env), timeout=300)

    first, second = ranks()
    assert first[:2] == second[:2]
    code = "import random, numpy; print(random.random(), numpy.random.rand())"
    assert " ".join(map(str, first[:2])) == output(python, "-c", code, env={"SEED": "7"})
    distinct = ranks(SEED_INIT_RANKS="distinct")
    assert len({number for each in distinct for number in each}) == 8
    first, second = ranks(SEED_INIT="0")
    assert first[:2] != second[:2]


@pytest.fixture(scope="module")
def without_hook(python: Path, prefixes: Path, kept: Path) -> Path:
    """An interpreter without the hook that sees what `python` sees."""
    bare = interpreters.link_copy(prefixes / "bare/bin/python3", kept / "bare")
    packages = interpreters.stdlib_of(bare) / "site-packages/packages.pth"
    packages.unlink()  # the other copies share the file
    seen = interpreters.stdlib_of(python) / "site-packages/packages.pth"
    packages.write_text(seen.read_text())
    return bare


def test_workers_without_the_hook_go_on(python: Path, without_hook: Path) -> None:
    """They get no keyword that they do not know, and one line says that no seed reaches them."""
    with ExitStack() as stack:
        address, _ = head(without_hook, stack)
        done = run(python, PROGRAMS / "ray_units.py", address, env=given(), timeout=300)
    assert done.returncode == 0, done.stderr
    assert "seed_init: this worker of Ray has no seeding hook" in done.stdout + done.stderr


def test_an_unknown_release_is_left_alone(python: Path, tmp_path: Path) -> None:
    package = tmp_path / "ray"
    package.mkdir()
    (package / "__init__.py").write_text("def remote(function): return function\n")
    code = "import ray, random; print(ray.remote(random.random)())"
    env = {"SEED": "7", "PYTHONPATH": str(tmp_path)}
    done = run(python, "-c", code, env=env)
    assert (
        done.stdout == output(python, "-c", "import random; print(random.random())", env=env) + "\n"
    )
    [line] = [each for each in done.stderr.splitlines() if "not known" in each]
    assert line.startswith("seed_init: this release of Ray is not known (AttributeError")
