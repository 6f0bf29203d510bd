"""`verify`, `record` and `audit` see through engines: which units ran where, and what each did."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, environment_of, run
from seed_init.cli import verify
from seed_init.proof.trace import records, units
from seed_init.proof.verifying.verdict import Verification

from . import test_ray

PROGRAMS = Path(__file__).parent / "programs"
DASK, RAY, SPARK = (PROGRAMS / f"through_{name}.py" for name in ("dask", "ray", "spark"))

TASKS = 6
"""Of the program of Dask, with TRAIN."""


def seed_init(python: Path, cwd: Path, *words: str | Path, **env: str | None) -> Completed:
    """Run a command of ours."""
    given = {"SEED": "7", **env}
    return run(python, "-m", "seed_init", *words, env=given, cwd=cwd, timeout=400)


def verified(python: Path, cwd: Path, *command: str | Path, **env: str | None) -> dict[str, Any]:
    """What `verify` says of a program, in two observed runs and one without training hooks."""
    words = "verify", "--json", "--no-perturb", "--no-locate", "--", python, *command
    done = seed_init(python, cwd, *words, **env)
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def lines(result: dict[str, Any]) -> list[str]:
    return verify.as_lines(Verification.from_json(result))


def recorded(python: Path, cwd: Path, *command: str | Path, **env: str | None) -> records.Record:
    words = "record", "-o", "record.json", "--", python, *command
    done = seed_init(python, cwd, *words, **env)
    assert done.returncode == 0, done.stderr
    (cwd / "stdout").write_text(done.stdout)
    return records.read(cwd / "record.json")


# --- Dask -----------------------------------------------------------------------------------------


def test_tasks_that_go_to_another_worker_are_the_same_and_are_told(
    python: Path, tmp_path: Path
) -> None:
    result = verified(python, tmp_path, DASK, "cluster", "word", TRAIN="1")
    assert (result["verdict"], result["difference"]) == ("identical", None)
    compared = result["compared"]
    assert compared["units"] == {"Dask": TASKS} and compared["moved"] == TASKS
    assert compared["steps"] == 2 and compared["tensors"] >= 2
    assert set(compared["generators"]) == {"numpy", "random", "torch"}
    assert f"{TASKS} tasks went to another worker" in "\n".join(lines(result))
    assert not any("units of work" in line for line in result["not_compared"])


def test_a_task_that_draws_otherwise_is_named(python: Path, tmp_path: Path) -> None:
    result = verified(python, tmp_path, DASK, "cluster", "word", WILD="1")
    assert result["verdict"] == "different"
    assert result["difference"]["who"] == "Dask's unit dask wild-2-word"
    assert "  process: Dask's unit dask wild-2-word" in lines(result)


@pytest.mark.parametrize(("tasks", "status"), [("distinct", 0), ("same", 1)])
def test_workers_that_draw_alike_are_found(
    python: Path, tmp_path: Path, tasks: str, status: int
) -> None:
    words = "audit", "--fail-on", "alike", "--", python, DASK, "programs", "word"
    done = seed_init(python, tmp_path, *words, SEED_INIT_TASKS=tasks)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("dask worker" in done.stdout and "2 processes" in done.stdout) == bool(status)
    told = json.loads(done.stdout.splitlines()[0])[-1]
    place = [line for line in told if "seed" in line and "unit of work of Dask" in line]
    assert len(place) == 1 - status
    assert all("path dask told-3-word" in line for line in place)


@pytest.fixture(scope="module")
def scheduler(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A scheduler and a worker that nobody observes; its file."""
    folder = tmp_path_factory.mktemp("scheduler")
    file = folder / "scheduler.json"
    given = "--no-dashboard", "--scheduler-file", str(file)
    commands = ("scheduler", "--host", "127.0.0.1", "--port", "0"), ("worker", "--no-nanny")
    with ExitStack() as stack:
        for command in commands:
            started = subprocess.Popen(
                [str(python), "-m", "dask", *command, *given],
                env=environment_of(python, {"SEED": "42"}),
                stderr=subprocess.DEVNULL,
                cwd=folder,
            )
            stack.callback(started.wait)
            stack.callback(started.terminate)
        yield file


def test_tasks_in_workers_that_nobody_observes_are_told(
    python: Path, tmp_path: Path, scheduler: Path
) -> None:
    said = "units of work of Dask: of those that the program submitted, none ran where"
    done = seed_init(
        *(python, tmp_path, "record", "-o", "a.json", "--", python, DASK, scheduler, "record")
    )
    assert f"seed-init record: not recorded: {said}" in done.stderr
    assert any(said in line for line in records.load(tmp_path / "a.json")["incomplete"])
    words = "audit", "--fail-on", "alike", "--", python, DASK, scheduler, "audit"
    done = seed_init(python, tmp_path, *words)
    assert (done.returncode, f"not seen: {said}" in done.stdout) == (4, True)


# --- Ray ------------------------------------------------------------------------------------------


def test_workers_of_a_cluster_that_runs_already_write_to_the_trace(
    python: Path, tmp_path: Path
) -> None:
    """And what the program gives them by `runtime_env` holds."""

    quiet = test_ray.QUIET | {"SEED": "7"}
    with ExitStack() as stack:
        address, _ = test_ray.head(python, stack)
        record = recorded(python, tmp_path, RAY, address, **quiet)
        result = verified(python, tmp_path, RAY, address, **quiet)
    drawn = json.loads((tmp_path / "stdout").read_text().splitlines()[-1])
    assert [each[1] for each in drawn[:2]] == ["own", "own"]
    paths = {tuple(unit.header["path"]) for unit, _ in units.placed(record.processes)}
    tasks = {("ray", "task", "draw", number) for number in (1, 2)}
    assert paths == {*tasks, ("ray", "actor", "Actor", 1), ("ray", "call", "Actor.draw", 1)}
    assert all(unit.of("end") for unit, _ in units.placed(record.processes))
    assert units.unseen(record.processes) == []
    assert result["verdict"] == "identical", result
    assert result["compared"]["units"] == {"Ray": 4}


# --- Spark ----------------------------------------------------------------------------------------


def test_partitions_are_seen_and_the_driver_passes_the_trace_on(
    python: Path, tmp_path: Path
) -> None:
    here = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1"}
    record = recorded(python, tmp_path, SPARK, **here, PYSPARK_PYTHON=str(python))
    drawn, environment = json.loads((tmp_path / "stdout").read_text().splitlines()[-1])
    assert len(set(drawn)) == 4
    assert environment["SEED_INIT_TRACE"].endswith(".parts")
    assert environment["SEED_INIT_RECORDER"] == "own"  # what the program has given holds
    seen = units.placed(record.processes)
    assert {tuple(unit.header["path"][-2:]) for unit, _ in seen} == {(0, n) for n in range(4)}
    assert all(unit.of("end") for unit, _ in seen)
    done = seed_init(python, tmp_path, "compare", "record.json", "record.json")
    assert (done.returncode, "4 units of work" in done.stdout) == (0, True)
    done = seed_init(python, tmp_path, "report", "record.json", "record.json")
    assert done.returncode == 0, done.stderr
