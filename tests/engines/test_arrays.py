"""Slurm for real: arrays, steps, and a SEED that srun does not pass on."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.interpreters import link_copy
from harness.processes import environment_of

from . import slurm

PROBE = Path(__file__).parent / "programs/probe.py"
PATIENCE = 120.0
"""Seconds for a job of a few small programs, on a machine that is busy."""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Those by which Slurm's commands find the Slurm of these tests."""
    why = slurm.missing()
    if why:
        pytest.skip(why)
    with slurm.running(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture
def image(python: Path, tmp_path: Path) -> Path:
    """A Python with a defaults file, as the image has one."""
    copy = link_copy(python, tmp_path / "image")
    defaults = tmp_path / "image/etc/seed_init/defaults"
    defaults.parent.mkdir(parents=True)
    defaults.write_text("SEED=42\n")
    return copy


@pytest.fixture
def job(variables: dict[str, str], image: Path, tmp_path: Path) -> Callable[..., list[Any]]:
    """Submit a batch script; `{probe}` in it is a program that tells where it is and what it drew.

    Gives what these programs have told, in order of their names.
    """

    def submit(script: str, *options: str) -> list[Any]:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        lines = script.format(probe=f"{image} {PROBE}").splitlines()
        file = tmp_path / "job.sh"
        file.write_text("\n".join(["#!/bin/bash", "export PYTHONHASHSEED=0", *lines]))
        where = ("--output", f"{out}/%j", "--chdir", "/", "--overcommit")
        command = ["sbatch", "--parsable", "--wait", *where, *options, str(file)]
        # The job has the environment of who submits it.
        env = environment_of(image, {"PATH": os.environ["PATH"], **variables})
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, env=env)
        told: list[str] = []
        end = time.monotonic() + 10  # the file may come a moment after the job's end
        while not told and time.monotonic() < end:
            texts = [each.read_text() for each in out.iterdir()]
            told = [line for text in texts for line in text.splitlines() if line[:1] == "["]
            time.sleep(0.1)
        shutil.rmtree(out)
        return sorted(map(json.loads, told))

    return submit


@pytest.mark.shows("Slurm", "runs", "alike", "seed", "control")
def test_the_jobs_of_an_array_draw_apart(job: Callable[..., list[Any]]) -> None:
    script = "{probe} default; SEED=array {probe} index; SEED=7+array {probe} mixed; "
    script += "SEED=8+array {probe} eight; SEED=7 {probe} seven; SEED_INIT=0 {probe} off"
    told = job(script, "--array=1-2")
    names = [each[0] for each in told]
    assert names == sorted([*("default", "eight", "index", "mixed", "seven", "off")] * 2)
    of = {name: [each for each in told if each[0] == name] for name in names}
    assert [each[1] for each in of["index"]] == [1, 2]
    assert not {each[-1] for each in of["mixed"]} & {each[-1] for each in of["eight"]}
    for name in ("default", "eight", "index", "mixed", "off"):
        zero, one = of[name]
        assert zero[-1] != one[-1]
    assert of["seven"][0] == of["seven"][1]
    again = job(script, "--array=1-2")
    assert [each for each in again if each[0] != "off"] == [
        each for each in told if each[0] != "off"
    ]


@pytest.mark.shows("Slurm", "alike")
def test_the_batch_script_is_no_rank_and_what_srun_starts_is(
    job: Callable[..., list[Any]],
) -> None:
    script = "{probe} batch; srun --overcommit -n 2 {probe} default; "
    script += "SEED=7 srun --overcommit -n 2 {probe} same; "
    script += "SEED=7 SEED_INIT_RANKS=distinct srun --overcommit -n 2 {probe} distinct"
    told = job(script, "-n", "2")
    ranks = [["rank", 0], ["rank", 1]]
    assert [path for name, _, path, _ in told if name == "batch"] == [[]]
    assert sorted(path for name, _, path, _ in told if name == "default") == ranks
    assert [path for name, _, path, _ in told if name == "same"] == [[], []]
    assert sorted(path for name, _, path, _ in told if name == "distinct") == ranks
    assert len({draw for *_, draw in told}) == 6


def test_a_seed_of_the_script_is_lost_by_export_and_kept_by_all(
    job: Callable[..., list[Any]],
) -> None:
    script = "export SEED=7; {probe} direct; srun {probe} step; srun --export=ALL {probe} all"
    all_, direct, step = job(script, "--export=NONE")
    assert (all_[1], direct[1]) == (7, 7)
    assert step[1] != 7


@pytest.fixture
def at_once(variables: dict[str, str]) -> Iterator[None]:
    """Meanwhile no job waits for a time, as a requeued one does for two minutes."""
    with slurm.at_once(variables):
        yield


@pytest.mark.usefixtures("at_once")
def test_a_job_that_is_requeued_goes_on_in_streams_of_its_own(
    job: Callable[..., list[Any]],
) -> None:
    script = "SEED=7 {probe} ${{SLURM_RESTART_COUNT:-0}}; SEED=7 SEED_INIT_RESTART=0 {probe} same\n"
    script += "[ $SLURM_RESTART_COUNT ] || {{ scontrol requeue $SLURM_JOB_ID; sleep 60; }}"
    first, second, same, again = job(script, "--requeue", "--open-mode=append")
    assert (first[0], first[1], second[0]) == ("0", 7, "1")
    assert same[-1] == again[-1] == first[-1] != second[-1]
