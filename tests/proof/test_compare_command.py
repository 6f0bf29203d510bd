"""`seed-init compare`: two runs by their records, or by their traces."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, run

from . import corpus


@pytest.fixture
def of(python: Path, kept: Path) -> dict[str, str]:
    """Name -> a record, or the trace directory of the first one."""
    runs = corpus.of_training(python, kept)
    return {"trace": runs["one"]["trace"], **{name: runs[name]["record"] for name in runs}}


def compare(python: Path, *words: Path | str) -> Completed:
    return run(python, "-m", "seed_init", "compare", *words)


def as_json(python: Path, *words: Path | str) -> dict[str, Any]:
    done = compare(python, "--json", *words)
    result: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == {"same": 0, "different": 1, "nothing in common": 3}[result["verdict"]]
    assert result["same"] == (result["verdict"] == "same")
    assert done.stderr == ""
    return result


pytestmark = pytest.mark.torch


def test_two_records_of_one_training_are_the_same(python: Path, of: dict[str, str]) -> None:
    done = compare(python, of["one"], of["again"])
    assert (done.returncode, done.stderr) == (0, "")
    verdict, _, told = done.stdout.splitlines()
    assert (verdict, told) == (
        "SAME",
        f"compared: {corpus.STEPS} steps of 1 process; 4 final parameters; generators at the "
        "end: numpy, random, torch",
    )


def test_another_seed_is_the_first_explanation(python: Path, of: dict[str, str]) -> None:
    done = compare(python, of["one"], of["seed"])
    assert done.returncode == 1
    verdict, _, first, _, told, likeliest, *_ = done.stdout.splitlines()
    assert verdict == "DIFFERENT"
    assert first.startswith("first observed at step 0: ")
    assert told == "what could explain it, likeliest first:"
    assert likeliest == "  SEED: 7 and 8 (every stream comes from it)"


def test_json_is_one_object_with_the_difference_and_all_explanations(
    python: Path, of: dict[str, str]
) -> None:
    same = as_json(python, of["one"], of["again"])
    assert same == {
        "format": 1,
        "verdict": "same",
        "same": True,
        "difference": None,
        "explanations": [],
        "compared": {
            "processes": 1,
            "units": 0,
            "steps": corpus.STEPS,
            "final_weights": 4,
            "generators": ["numpy", "random", "torch"],
        },
        "not_compared": [],
        "failures": [],
    }
    other = as_json(python, of["one"], of["seed"])
    assert (other["same"], other["difference"]["step"]) == (False, 0)
    assert other["difference"]["runs"] == [of["one"], of["seed"]]
    assert other["explanations"][0] == {
        "what": "SEED",
        "first": "7",
        "second": "8",
        "why": "every stream comes from it",
    }


def test_a_step_that_only_one_record_has_is_the_difference(
    python: Path, of: dict[str, str]
) -> None:
    for pair, which in ((("one", "longer"), "second"), (("longer", "one"), "first")):
        result = as_json(python, *(of[name] for name in pair))
        assert (result["difference"]["level"], result["difference"]["step"]) == (
            "trace",
            corpus.STEPS,
        )
        assert f"(the {which})" in result["difference"]["text"]
        assert result["explanations"][0]["what"] == "command"


def test_a_record_compares_with_a_trace_directory(python: Path, of: dict[str, str]) -> None:
    for pair in (("one", "trace"), ("trace", "one"), ("trace", "trace")):
        result = as_json(python, *(of[name] for name in pair))
        assert (result["same"], result["compared"]["steps"]) == (True, corpus.STEPS), result
    assert as_json(python, of["trace"], of["seed"])["difference"]["step"] == 0


def test_where_an_instrument_failed_equal_runs_are_unproven(
    python: Path, of: dict[str, str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    shutil.copytree(of["trace"], trace)
    (journal,) = trace.glob("*.jsonl")
    *lines, end = journal.read_text().splitlines(keepends=True)
    failed = json.dumps({"event": "failed", "what": "steps failed with OSError"}) + "\n"
    journal.write_text("".join([*lines, failed, end]))
    done = compare(python, of["one"], trace)
    assert (done.returncode, done.stdout.splitlines()[0]) == (4, "UNPROVEN")
    assert done.stdout.splitlines()[-1] == f"failed: {trace}: steps failed with OSError"
    assert compare(python, of["seed"], trace).returncode == 1


def changed(of: dict[str, str], file: Path, **sections: Any) -> Path:
    """Write a copy of a record with other contents in some sections."""
    record = json.loads(Path(of["one"]).read_text())
    file.write_text(json.dumps({**record, **sections}))
    return file


def test_another_exit_status_is_a_difference(
    python: Path, of: dict[str, str], tmp_path: Path
) -> None:
    ended = json.loads(Path(of["one"]).read_text())["exit"]
    done, failed = (
        changed(of, tmp_path / name, exit={**ended, "status": status})
        for name, status in (("done.json", 0), ("failed.json", 3))
    )
    result = as_json(python, done, failed)
    assert result["difference"]["first_observed"] == "first observed: the exit status is 0 and 3"
    # A process that wrote its own record does not know its exit status.
    assert ended["status"] is None
    assert as_json(python, of["one"], failed)["same"]


def test_what_differs_between_equal_runs_is_told_all_the_same(
    python: Path, of: dict[str, str], tmp_path: Path
) -> None:
    system = json.loads(Path(of["one"]).read_text())["system"]
    other = changed(of, tmp_path / "other.json", system={**system, "libc": "glibc 2.99"})
    lines = compare(python, of["one"], other).stdout.splitlines()
    assert lines[:3] == ["SAME", "", "what differs all the same:"]
    assert lines[3].startswith("  C library: ")


def test_the_end_of_a_killed_run_is_told_not_to_be_compared_whichever_record_it_is(
    python: Path, of: dict[str, str], tmp_path: Path
) -> None:
    killed = tmp_path / "trace"
    killed.mkdir()
    for file in Path(of["trace"]).iterdir():
        lines = file.read_text().splitlines(keepends=True)
        (killed / file.name).write_text("".join(x for x in lines if '"event":"end"' not in x))
    for pair in ((killed, of["one"]), (of["one"], killed)):
        result = as_json(python, *pair)
        assert result["same"]
        assert result["not_compared"] == ["the end of a process that was killed"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot read FILE: No such file or directory"),
        ("text", "FILE is no record: it is not JSON"),
        ("[]", "FILE is no record: it names no schema"),
        ('{"schema": "other"}', "FILE is no record of this version: its schema is 'other'"),
    ],
)
def test_what_is_no_record_is_said_in_one_line(
    python: Path, of: dict[str, str], tmp_path: Path, content: str | None, told: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    for pair in ((of["one"], file), (file, of["one"])):
        done = compare(python, *pair)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"seed-init compare: {told.replace('FILE', str(file))}")
        assert done.stderr.count("\n") == 1


def test_a_directory_without_a_trace_is_refused(
    python: Path, of: dict[str, str], tmp_path: Path
) -> None:
    done = compare(python, of["one"], tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"seed-init compare: {tmp_path} has no trace in it; give a record (a .json file) or a "
        "trace directory\n"
    )
