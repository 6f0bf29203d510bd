"""`seed-init compare --environment`: could two machines give other bits, before anything trains?"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, run
from seed_init.proof.comparing import beforehand
from seed_init.proof.trace import records

from . import corpus, damage

Record = dict[str, Any]


@pytest.fixture
def of(python: Path, kept: Path) -> dict[str, Path]:
    """Name -> the record of a real run."""
    return {name: Path(of["record"]) for name, of in corpus.of_training(python, kept).items()}


def compare(python: Path, place: Path, *words: Path | str, **env: str) -> Completed:
    """Run `seed-init compare --environment` with the settings of the record "one"."""
    return run(
        python,
        *("-m", "seed_init", "compare", "--environment", *words),
        env={"SEED": "7", "OMP_NUM_THREADS": "1", **env},
        cwd=place,
    )


# A record and this machine


@pytest.mark.torch
def test_the_machine_on_which_a_record_was_made_is_the_same(
    python: Path, of: dict[str, Path]
) -> None:
    done = compare(python, of["one"].parent, of["one"])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    headline, *lines = done.stdout.splitlines()
    assert headline == f"SAME: the environments of {of['one']} and of this machine"
    assert "compared: settings, Python, packages, CPU, system, torch" in done.stdout
    # The record of SEED_INIT_RECORD has none.
    told = f"not compared: arithmetic of the machine: not known of {of['one']} and of this machine"
    assert lines[-1] == told


@pytest.mark.torch
def test_other_settings_code_and_data_here_are_named(
    python: Path, of: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("# another program\n")
    words = ("--json", of["one"])
    done = compare(python, tmp_path, *words, SEED="8", OMP_NUM_THREADS="2")
    result = json.loads(done.stdout)
    assert (done.returncode, result["verdict"], result["same"]) == (1, "different", False)
    found = {each["what"]: each for each in result["explanations"]}
    assert (found["SEED"]["first"], found["SEED"]["second"]) == ("7", "8")
    assert (found["threads"]["first"], found["threads"]["second"]) == ("1", "2")
    assert any(what.startswith("module ") and "train.py" in what for what in found), found
    # The program of the record has read a file that is not in this directory.
    assert found["data files"]["first"].endswith("/data")
    assert found["data files"]["second"] == "not there"
    # What the program itself decides is no fact of this machine.
    assert not [what for what in found if what.startswith(("command", "seeded by", "ranks"))]


@pytest.mark.slow
def test_a_python_without_the_hook_is_one_line(python: Path, bare: Path, tmp_path: Path) -> None:
    trace = damage.trace(tmp_path / "trace", 1)
    done = compare(python, tmp_path, trace, PATH=str(bare.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert (
        "python3 does not run the hook, so that nothing is known of it; run 'seed-" in done.stderr
    )


# Two records


@pytest.mark.torch
def test_two_records_are_compared_without_their_steps(
    python: Path, of: dict[str, Path], tmp_path: Path
) -> None:
    same = compare(python, tmp_path, of["one"], of["again"])
    assert same.returncode == 0, same.stdout
    other = compare(python, tmp_path, of["one"], of["seed"])
    assert other.returncode == 1
    headline, _, title, first, *_ = other.stdout.splitlines()
    assert headline.startswith("DIFFERENT: the environments of ")
    assert title == "what can decide bits, likeliest first:"
    assert first == "  SEED: 7 and 8 (every stream comes from it)"
    assert "first observed" not in other.stdout


@pytest.mark.parametrize("words", [(), ("--environment",)])
def test_what_is_no_record_is_one_line(python: Path, tmp_path: Path, words: tuple[str]) -> None:
    (tmp_path / "a").write_text("{}")
    done = run(python, "-m", "seed_init", "compare", *words, "a", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    told = "a is no record: it names no schema" if words else "one record compares with nothing; "
    assert told in done.stderr


# What decides the verdict


@pytest.fixture
def record(of: dict[str, Path]) -> Record:
    found = copy.deepcopy(records.load(of["one"]))
    rows = [{"library": "numpy", "kind": "sum", "probe": "sum", "result": "1"}]
    found["arithmetic"] = {"format": 1, "hash": "", "rows": rows}
    found["arithmetic"] |= {"chosen": {}, "missing": {}, "failed": {}}
    return found


def compared(first: Record, second: Record) -> beforehand.Compared:
    return beforehand.compare(first, second, ("a", "b"))


@pytest.mark.torch
def test_another_kernel_of_the_system_is_shown_and_decides_nothing(record: Record) -> None:
    other = copy.deepcopy(record)
    other["system"]["kernel"] = "Linux 99"
    found = compared(record, other)
    assert (found.verdict, [each.what for each in found.others]) == ("same", ["kernel"])


@pytest.mark.torch
def test_another_cpu_decides_unless_both_compute_the_same(record: Record) -> None:
    other = copy.deepcopy(record)
    other["cpu"]["model"] = "another"
    found = compared(record, other)
    assert (found.verdict, [each.what for each in found.others]) == ("same", ["CPU"])
    other["arithmetic"]["rows"][0]["result"] = "2"
    found = compared(record, other)
    assert found.verdict == "different"
    assert [each.what for each in found.explanations] == ["the machines' arithmetic", "CPU"]
    for each in (record, other):
        each["arithmetic"] = None
    assert [each.what for each in compared(record, other).explanations] == ["CPU"]


@pytest.mark.torch
@pytest.mark.parametrize("section", ["settings", "python", "packages", "cpu", "system"])
def test_what_one_of_them_does_not_know_is_no_proof(record: Record, section: str) -> None:
    other = copy.deepcopy(record)
    other[section] = type(record[section])() if section in ("settings", "packages") else None
    found = compared(record, other)
    assert found.verdict == "unproven"
    assert [line.partition(":")[2] for line in found.not_compared] == [" not known of b"]
