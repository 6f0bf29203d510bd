"""Records with nothing to compare are not the same: a verdict and an exit status of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import run
from harness.sharing import once

from . import damage, recorded

PROGRAMS = {
    "shell": ("sh", "-c", "true"),
    "shell, too": ("sh", "-c", "true"),
    "failed shell": ("sh", "-c", "exit 3"),
    "silent": ("PYTHON", "-c", "pass"),
    "silent, too": ("PYTHON", "-c", "pass"),
    "child": ("PYTHON", "-c", "import os; os.fork() and os._exit(0); import random"),
    "draws": ("PYTHON", "-c", "import random; random.random()"),
    "draws, too": ("PYTHON", "-c", "import random; random.random()"),
    "draws twice": ("PYTHON", "-c", "import random; random.random(); random.random()"),
    "draws in several": ("PYTHON", "-c", "import os, random; random.random(); os.fork()"),
}
"""Name of a record -> the command that was run."""


def made(python: str, place: str) -> dict[str, str]:
    """The records of those commands, and two traces of runs that were killed early."""
    directory = Path(place)
    directory.mkdir(exist_ok=True)
    files = {name: str(directory / f"{name}.json") for name in PROGRAMS}
    for name, words in PROGRAMS.items():
        command = [python if word == "PYTHON" else word for word in words]
        recorded.by_command(Path(python), Path(files[name]), *command, cwd=directory)
        recorded.valid(Path(files[name]))
    for name in ("killed", "killed, too"):
        trace = damage.trace(directory / name, 1)
        for file in trace.glob("*.jsonl"):
            lines = file.read_text().splitlines(keepends=True)[:4]
            file.write_text("".join(line for line in lines if '"end"' not in line))
        files[name] = str(trace)
    return files


def records_of(python: Path, kept: Path) -> dict[str, str]:
    """Name -> a record, or a trace directory; the arguments are the fixtures of those names."""
    paths: dict[str, str] = once(kept, made, str(python), str(kept / "nothing"))
    return paths


@pytest.fixture
def of(python: Path, kept: Path) -> dict[str, str]:
    """As `records_of`."""
    return records_of(python, kept)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("shell", "shell, too", "nothing in common"),
        ("shell", "shell", "nothing in common"),
        ("shell", "draws", "nothing in common"),
        ("silent", "silent, too", "nothing in common"),
        ("silent", "draws", "nothing in common"),
        ("killed", "killed, too", "nothing in common"),
        ("killed", "draws", "nothing in common"),
        ("draws", "draws, too", "same"),
        ("draws", "draws in several", "same"),
        ("draws", "draws twice", "different"),
        ("shell", "failed shell", "different"),
    ],
)
def test_compare_and_report_never_call_equal_what_nobody_looked_at(
    python: Path, of: dict[str, str], a: str, b: str, verdict: str
) -> None:
    for pair in ((of[a], of[b]), (of[b], of[a])):
        done = run(python, "-m", "seed_init", "compare", *pair)
        assert done.stderr == ""
        assert done.returncode == {"same": 0, "different": 1, "nothing in common": 3}[verdict]
        assert done.stdout.splitlines()[0] == verdict.upper()
        found = as_json(python, "compare", *pair)
        assert (found["verdict"], found["same"]) == (verdict, verdict == "same")
        word = as_json(python, "report", *pair)["verdict"]["word"]
        # The report puts a run that failed first.
        wanted = {"same": "identical", "nothing in common": "not compared"}.get(verdict, verdict)
        assert word == ("failed" if "failed shell" in (a, b) else wanted)


@pytest.mark.slow
def test_what_is_missing_is_said(python: Path, of: dict[str, str]) -> None:
    none = as_json(python, "compare", of["shell"], of["shell, too"])
    empty = {"processes": 0, "units": 0, "steps": 0, "final_weights": 0, "generators": []}
    assert (none["compared"], none["difference"]) == (empty, None)
    assert none["not_compared"] == ["training steps: the records have none in common"]
    partly = as_json(python, "compare", of["draws"], of["draws in several"])
    assert partly["compared"] == {**empty, "processes": 1, "generators": ["random"]}
    assert "1 process that only one of the records has" in partly["not_compared"]


def test_one_stranger_among_several_records_is_named(python: Path, of: dict[str, str]) -> None:
    found = as_json(python, "report", of["draws"], of["draws, too"], of["shell"])["verdict"]
    assert found["word"] == "not compared"
    assert found["sentence"] == (
        "C (shell.json) has nothing in common with A (draws.json) that could be compared."
    )


def test_help_says_what_status_it_is(python: Path) -> None:
    told = " ".join(run(python, "-m", "seed_init", "compare", "--help").stdout.split())
    assert "3: they have nothing in common that could be compared" in told


def as_json(python: Path, command: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run(python, "-m", "seed_init", command, "--json", *words).stdout
    )
    return found
