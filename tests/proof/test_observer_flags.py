"""The instrument `flags`: torch's determinism flags at its import, and where each was changed."""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import run
from harness.sharing import once
from seed_init.proof.trace import journal

from . import recorded

PROGRAM = Path(__file__).parent / "programs" / "changing_flags.py"

pytestmark = pytest.mark.torch


def line_with(mark: str) -> str:
    """Where the program has a mark: "FILE:LINE"."""
    lines = PROGRAM.read_text().splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}")]
    return f"{PROGRAM}:{number}"


def observed(python: str, place: str, *env: tuple[str, str]) -> list[dict[str, Any]]:
    """The events of the program: its flags, and its steps by name only."""
    trace = Path(place, *(value for _, value in env))
    journal.write_plan(trace, {"instruments": ["steps", "flags"]})
    done = run(python, PROGRAM, env={**dict(env), "SEED_INIT_TRACE": str(trace)})
    assert done.returncode == 0, done.stderr
    [process] = journal.read(trace)
    assert process.of("failed") == []
    return [
        event if event["event"] == "flags" else {"event": "step"}
        for event in process.of("flags", "step")
    ]


@pytest.fixture
def events(python: Path, kept: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = once(
        kept, observed, str(python), str(kept / "flags"), ("SEED", "7"), ("DETERMINISM", "warn")
    )
    return found


def test_the_flags_at_the_import_are_those_that_the_hook_has_set(
    events: list[dict[str, Any]],
) -> None:
    assert events[0] == {
        "event": "flags",
        "place": None,
        "values": {
            "CUDNN_DETERMINISTIC": "1",
            "CUDNN_BENCHMARK": "0",
            "CUDNN_ALLOW_TF32": "1",
            "TORCH_ALLOW_TF32": "0",
            "TORCH_DETERMINISTIC_ALGORITHMS": "warn",
            "TORCH_FILL_UNINITIALIZED_MEMORY": "0",
        },
    }


def test_a_change_is_told_once_after_its_step_with_its_line(events: list[dict[str, Any]]) -> None:
    assert [event["event"] for event in events] == [
        "flags",
        "step",
        "step",
        "flags",
        "step",
        "flags",
    ]
    assert events[3]["values"] == {"CUDNN_BENCHMARK": "1"}
    assert events[3]["place"] == line_with("FIRST")


def test_a_change_after_the_last_step_is_told_at_the_end(events: list[dict[str, Any]]) -> None:
    assert events[-1]["values"] == {"TORCH_DETERMINISTIC_ALGORITHMS": "0"}
    assert events[-1]["place"] == line_with("LAST")


def test_the_line_is_known_where_the_hook_sets_no_flag_too(python: Path, kept: Path) -> None:
    seen = once(kept, observed, str(python), str(kept / "flags"), ("DETERMINISM", "off"))
    assert seen[0]["values"]["CUDNN_DETERMINISTIC"] == "0"
    changes = [event for event in seen[1:] if event["event"] == "flags"]
    # Deterministic algorithms are off from the beginning here.
    assert [event["values"] for event in changes] == [{"CUDNN_BENCHMARK": "1"}]
    assert changes[0]["place"] == line_with("FIRST")


def test_a_record_has_the_flags_with_each_change_and_the_steps_before_it(
    python: Path, tmp_path: Path
) -> None:
    file = tmp_path / "record.json"
    done = recorded.by_variable(python, file, PROGRAM)
    assert done.returncode == 0, done.stderr
    flags = recorded.valid(file)["flags"]
    assert flags["start"]["CUDNN_BENCHMARK"] == "0"
    assert flags["changes"] == [
        {
            "process": 0,
            "values": {"CUDNN_BENCHMARK": "1"},
            "place": line_with("FIRST"),
            "steps_before": 1,
        },
        {
            "process": 0,
            "values": {"TORCH_DETERMINISTIC_ALGORITHMS": "0"},
            "place": line_with("LAST"),
            "steps_before": 3,
        },
    ]
    assert flags["end"]["CUDNN_BENCHMARK"] == "1"
    assert flags["end"]["TORCH_DETERMINISTIC_ALGORITHMS"] == "0"
