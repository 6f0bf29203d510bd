"""Partitions of Spark's stages have streams of their own, in whichever worker they run."""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, run

PROGRAM = Path(__file__).parent / "programs/spark_draws.py"

LOCAL = "local[2, 3]"  # two at a time, and a task may fail twice

Told = dict[str, Any]


def draws(python: Path, directory: Path, *arguments: str, **env: str | None) -> Told:
    """What the program says, with a master, on this machine."""
    directory.mkdir(exist_ok=True)
    here = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1"}
    names = {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    master, *others = arguments
    told: Told = answer(
        python,
        *(PROGRAM, master, directory, *others),
        env={"SEED": "7", **here, **names, **env},
        cwd=directory,
        timeout=600,
    )
    return told


@pytest.fixture(scope="module")
def local(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """In two workers of this machine, with SEED=7."""
    return draws(python, tmp_path_factory.mktemp("local"), LOCAL)


def numbers(told: Any) -> list[float]:
    """Every number that was drawn."""
    if isinstance(told, float):
        return [told]
    parts = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    return [number for part in parts for number in numbers(part)]


@pytest.mark.shows("Spark", "alike")
def test_no_two_partitions_draw_alike_and_a_retried_one_draws_the_same(local: Told) -> None:
    told = {**local, "tried again": [*local["tried again"]]}
    second, first = told["tried again"][1]
    assert second == first
    told["tried again"][1] = second
    assert len(set(numbers(told))) == len(numbers(told)) > 100


def test_the_driver_draws_what_it_draws_without_spark(
    python: Path, tmp_path: Path, local: Told
) -> None:
    assert draws(python, tmp_path, "none")["driver"] == local["driver"]


@pytest.mark.shows("Spark", "runs", "workers")
def test_partitions_draw_the_same_on_a_cluster_of_two(
    python: Path, tmp_path: Path, local: Told
) -> None:
    assert draws(python, tmp_path, "local-cluster[2,1,1024]") == local


def test_the_seed_reaches_workers_that_have_none(python: Path, tmp_path: Path, local: Told) -> None:
    """Also in one worker, with the hash seed that PySpark gives where there is none, and where
    Spark shuffles the directories that it spills to (pyspark/shuffle.py, _get_local_dirs)."""
    assert local["hash seeds"] == ["0"] * 4  # as in the environment of these tests
    lost = draws(python, tmp_path, "local[1, 3]", "lost", PYTHONHASHSEED=None)
    assert lost == local


@pytest.mark.shows("Spark", "seed", "control")
def test_another_seed_gives_other_numbers_and_none_gives_new_ones(
    python: Path, tmp_path: Path, local: Told
) -> None:
    other = draws(python, tmp_path / "other", LOCAL, SEED="8")
    off = draws(python, tmp_path / "off", LOCAL, SEED_INIT="0")
    drawn = [set(numbers(told)) for told in (local, other, off)]
    assert len(set.union(*drawn)) == sum(map(len, drawn))
    second, first = off["tried again"][1]
    assert second != first


def test_an_unknown_release_is_named_once(python: Path) -> None:
    code = "import sys; sys.modules['pyspark.worker_message'] = None; import pyspark"
    done = run(python, "-c", code, env={"SEED": "7"})
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "release" in line]
    assert line == (
        "seed_init: this release of Spark is not known "
        "(LookupError: it has no module pyspark.worker_message): its units of work have no "
        "streams of their own, as with SEED_INIT_TASKS=same"
    )
