"""The benchmarks of alerts, operators and switches run, and find what PyTorch documents."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.repository import REPOSITORY

pytestmark = pytest.mark.torch


def measured(place: Path, part: str, *arguments: str) -> tuple[str, Any]:
    """What a program prints with as few rounds as possible, and its JSON."""
    file = place / "rows.json"
    command = [sys.executable, "-m", f"benchmarks.micro.{part}", "--rounds", "2"]
    environment = {"PATH": os.defpath, "SEED_INIT": "0", "HOME": str(place)}
    done = subprocess.run(
        [*command, "--block", "0.0001", "--json", str(file), *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


ALERTED = {"put_", "max_unpool2d and backward"}
"""Operators that PyTorch has no deterministic version of on the CPU, and warns about."""


def rows_of(place: Path, only: str, threads: str) -> dict[str, Any]:
    arguments = ("--only", only, "--threads", threads, "--sizes", "large")
    _, rows = measured(place, "operators", *arguments)
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize("only", ["put", "x["])
def test_warn_repeats_the_bits_of_operators_that_it_does_not_warn_about(
    tmp_path: Path, only: str
) -> None:
    rows = rows_of(tmp_path, only, "2")
    assert len(rows) > 3
    assert {name for name, row in rows.items() if row["bits"]["warn"] != 1} <= ALERTED


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: threads rarely interleave")
def test_off_does_not_repeat_the_bits_of_additions_by_index_in_two_threads(tmp_path: Path) -> None:
    # Two threads that never ran at the same time, on a busy machine, show nothing.
    for number in range(3):
        place = tmp_path / str(number)
        place.mkdir()
        rows = rows_of(place, "index_put_ accumulate", "2")
        if rows["index_put_ accumulate"]["bits"]["off"] > 1:
            break
    assert rows["index_put_ accumulate"]["bits"]["off"] > 1
    assert rows["index_put_ accumulate, float64"]["bits"]["off"] == 1  # always one thread


def test_off_repeats_them_in_one_thread(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "index_put_ accumulate", "1")
    assert {row["bits"]["off"] for row in rows.values()} == {1}


def test_every_situation_of_an_alert_is_measured_and_nothing_is_shown(tmp_path: Path) -> None:
    said, rows = measured(tmp_path, "alerts")
    assert "deterministic implementation" not in said
    assert {row["operator"] for row in rows} == {"put_", "max_unpool2d", "put, backward"}


def test_every_switch_is_measured_alone(tmp_path: Path) -> None:
    _, rows = measured(tmp_path, "switches", "--threads", "1", "--only", "width 64")
    settings = {row["setting"] for row in rows["1"]}
    assert {"off", "warn", "strict", "cudnn.deterministic", "deterministic algorithms"} <= settings
