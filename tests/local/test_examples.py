"""The example programs as a person runs them: what they say off a terminal, and to Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

DIGITS = REPOSITORY / "examples/digits/train.py"
RESUME = REPOSITORY / "examples/resume/train.py"


def start(program: Path, folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(program), *words],
        cwd=folder,
        env={**os.environ, "SEED_INIT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.torch
def test_off_a_terminal_there_is_a_line_for_each_epoch(tmp_path: Path) -> None:
    # A name in the way stands for a folder of somebody else's: root may write everywhere.
    (tmp_path / "metrics.json").mkdir()
    process = start(DIGITS, tmp_path, "--epochs=2", "--workers=0")
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0
    first, *epochs = error.splitlines()
    assert first == (
        "train.py: cannot write 'metrics.json': it is a directory; training without it"
    )
    assert [line[:10] for line in epochs] == ["epoch 1/2:", "epoch 2/2:"]
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "test accuracy",
        "weights sha256",
    ]


@pytest.mark.torch
def test_results_that_were_asked_for_and_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    process = start(DIGITS, tmp_path, "--out=.")
    out, error = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert error == "train.py: error: argument --out: cannot write '.': it is a directory\n"


def imports_torch(process: "subprocess.Popen[str]") -> bool:
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()


def has_trained(process: "subprocess.Popen[str]") -> bool:
    stream = process.stderr if str(DIGITS) in process.args else process.stdout
    return stream.readline().startswith("epoch 1")


@pytest.mark.torch
@pytest.mark.parametrize(
    ("program", "reached"),
    [
        pytest.param(DIGITS, imports_torch, id="while torch is imported"),
        pytest.param(DIGITS, has_trained, id="with two workers"),
        pytest.param(RESUME, has_trained, id="resume"),
    ],
)
def test_ctrl_c_is_answered_with_one_line(
    program: Path, reached: Callable[["subprocess.Popen[str]"], bool], tmp_path: Path
) -> None:
    process = start(program, tmp_path, "--epochs=500")
    deadline = time.monotonic() + 120
    while not reached(process):
        assert process.poll() is None and time.monotonic() < deadline
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    lines = [line for line in error.splitlines() if not line.startswith("epoch ")]
    assert lines == ["train.py: interrupted"]
    # As a shell counts: 128 + 2.
    assert process.returncode == -signal.SIGINT
