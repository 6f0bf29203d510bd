"""Where a command of the proof cannot even begin, it says so in one line."""

from pathlib import Path

import pytest

from harness.processes import run


@pytest.mark.parametrize("command", ["verify", "audit", "record"])
def test_a_working_directory_that_is_gone_is_a_usage_error(
    python: Path, tmp_path: Path, command: str
) -> None:
    source = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone');"
        f"os.execv(sys.executable, [sys.executable, '-m', 'seed_init', '{command}', '--', 'true'])"
    )
    done = run(python, "-c", source, env={"SEED_INIT": "0"}, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"seed-init {command}: ")
