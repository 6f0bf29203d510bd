"""`make gpu`: one short run of it on devices that compute nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness.repository import REPOSITORY

from .running import NullCuda

PAGE = REPOSITORY / "docs/gpu.md"


def script(*words: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *words],
        cwd=REPOSITORY,
        env={**os.environ, "SEED_INIT": "0", **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_short_rehearsal_runs_to_its_end_and_touches_no_docs(
    null_cuda: NullCuda, tmp_path: Path
) -> None:
    before = PAGE.read_bytes()
    names = ("facts, off", "no waiting", "tests/gpu/devices")
    only = [word for name in names for word in ("--only", name)]
    done = script(
        "--rehearse", *only, "--out", str(tmp_path), env=null_cuda.env(devices=1, name="Null")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [line.split(" s  ")[1][:7].strip() for line in done.stdout.splitlines()[:3]]
    assert verdicts == ["INFO", "PASS", "not run"]
    (file,) = tmp_path.glob("null-torch-*.json")
    checks = json.loads(file.read_text())["checks"]
    assert [each["check"] for each in checks] == list(names)
    assert "[Null](cost/" in (tmp_path / "gpu.md").read_text()
    assert PAGE.read_bytes() == before


def test_without_a_device_it_says_so_in_one_line(null_cuda: NullCuda) -> None:
    done = script(
        "--only",
        "facts",
        env=null_cuda.env(devices=0),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "no CUDA device (" in done.stderr


def test_a_check_that_does_not_exist_is_bad_usage() -> None:
    done = script("--only", "nonsense", env={})
    assert done.returncode == 2 and "take of: facts, off" in done.stderr
