"""A model is measured as `seed-init cost` measures a program, and a mistake is one line."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cost import measuring, table
from benchmarks.cost.arms import ARMS
from benchmarks.cost.pythons import Interpreters, with_lines
from harness.processes import run
from harness.repository import REPOSITORY
from harness.sharing import once

TINY = ["lstm", "--device", "cpu", "--threads", "1"]
MEASURED = ("off", "warn", "recipe", "none")


def test_the_lines_of_a_peer_come_first_after_the_docstring() -> None:
    assert with_lines('"""What."""\nimport os\n', "") == '"""What."""\nimport os\n'
    text = with_lines('"""What.\n\nMore.\n"""\n\nimport os\n', "import a\n")
    assert text == '"""What.\n\nMore.\n"""\n\nimport a\n\nimport os\n'


def measured(bare: str, python: str, place: str) -> Any:
    """A real, tiny measurement of one model: what it gives, and what it said."""
    Path(place).mkdir()
    pythons = Interpreters(Path(bare), Path(python), Path(place))
    said: list[str] = []
    arms = [ARMS[name] for name in MEASURED]
    return measuring.measure(pythons, arms, TINY, (1, 3), 1, said.append), said


@pytest.fixture
def found(bare: Path, python: Path, kept: Path) -> dict[str, Any]:
    """What `measured` gives, as a result of one model."""
    model, said = once(kept, measured, str(bare), str(python), str(kept / "lstm"))
    arms = {name: ARMS[name].to_json(None, None) for name in MEASURED}
    return {"arms": arms, "models": {"lstm": model}, "said": said}


@pytest.mark.torch
def test_every_arm_is_run_once_a_round_and_off_twice(found: dict[str, Any]) -> None:
    samples = found["models"]["lstm"]["samples"]
    assert {name: len(runs) for name, runs in samples.items()} == {
        **dict.fromkeys(MEASURED, 1),
        "off": 2,
    }
    assert {len(run["step_seconds"]) for runs in samples.values() for run in runs} == {3}
    assert found["said"][0] == "lstm: run 1 of 7 (a look under off)"
    # Where a cost stands out, on a busy machine by chance, the profiler looks as well.
    rounds = [line for line in found["said"] if ", round 1)" in line]
    assert len(rounds) == 5 and "(recipe, round 1)" in " ".join(rounds)


@pytest.mark.torch
def test_the_recipe_and_the_hook_train_to_the_same_bits(found: dict[str, Any]) -> None:
    digests = {name: table.digests(found, "lstm", name) for name in MEASURED}
    assert digests["recipe"] == digests["warn"]
    assert len(set(digests["off"])) == 1
    assert digests["none"][0] not in digests["off"]


@pytest.mark.torch
def test_a_peer_sets_the_flags_and_the_hook_does_not_touch_them(found: dict[str, Any]) -> None:
    by_hand, hooked, none = (table.flag_values(found, name) for name in ("recipe", "warn", "none"))
    assert by_hand == ["on", "off", "warn", "on", "`:4096:8`"]
    assert hooked == ["on", "off", "warn", "off", "`:4096:8`"]
    assert none == ["off", "off", "off", "on", table.NOTHING]


@pytest.mark.torch
def test_the_noise_and_the_time_of_a_step_are_known(found: dict[str, Any]) -> None:
    assert found["models"]["lstm"]["noise"] > 0
    for name in MEASURED:
        assert table.row(found, "lstm", name)["ratio"] > 0
    assert found["models"]["lstm"]["command"][:3] == ["python3", "train.py", "lstm"]


@pytest.mark.torch
def test_a_model_that_cannot_be_trained_is_named_with_the_reason(pythons: Interpreters) -> None:
    said: list[str] = []
    found = measuring.measure(
        pythons, [ARMS["off"]], ["lstm", "--device", "none"], (1, 3), 1, said.append
    )
    assert "invalid choice: 'none'" in found["failed"]
    result = {"models": {"lstm": found}, "arms": {}}
    assert table.cell(result, "lstm", "warn") == found["failed"]
    assert table.costs(result, "off") == []
    assert said[-1] == f"lstm: {found['failed']}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--render", "missing.json"), "missing.json cannot be read: No such file or directory"),
        (("--render", "README.md"), "README.md is no result of this benchmark"),
        (("--arms", "x"), "--arms x: there is no such arm or group"),
        (("--output", "/proc/x"), "/proc/x cannot be written: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_measured(
    words: tuple[str, ...], said: str
) -> None:
    done = run(sys.executable, "-m", "benchmarks.cost", *words, cwd=REPOSITORY)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"benchmarks.cost: {said}")
    assert done.stderr.count("\n") == 1


def test_a_result_of_the_former_form_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "former.json"
    former = {"machine": {}, "settings": {}, "arms": {}, "models": {"lstm": {"off": {}}}}
    file.write_text(json.dumps(former))
    done = run(sys.executable, "-m", "benchmarks.cost", "--render", file, cwd=REPOSITORY)
    assert done.returncode == 2 and "is no result of this benchmark" in done.stderr
