"""Which differences between two records could explain that their bits differ."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.comparing.environments import explain
from seed_init.proof.trace import records

from . import corpus, recorded

Record = dict[str, Any]


@pytest.fixture
def record(python: Path, kept: Path) -> Record:
    """A real record, which a test may change."""
    return recorded.valid(Path(corpus.of_training(python, kept)["one"]["record"]))


def changed(record: Record, *path: Any, to: Any) -> Record:
    """A copy of a record with another value at a path."""
    other = copy.deepcopy(record)
    holder = other
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = to
    return other


def seeded_with(record: Record, value: str) -> Record:
    other = copy.deepcopy(record)
    for row in other["settings"]:
        if row["name"] == "SEED":
            row["value"] = value
    return other


@pytest.mark.torch
def test_a_record_has_nothing_to_explain_against_itself(record: Record) -> None:
    other = copy.deepcopy(record)
    other["run"], other["times"]["started"], other["processes"][0]["pid"] = "0" * 32, None, 1
    assert explain(record, other) == []


CHANGE = {"process": 0, "place": None, "steps_before": 0}

CHANGES: dict[str, Callable[[Record], Record]] = {
    "SEED": lambda r: seeded_with(r, "8"),
    "PYTHONHASHSEED": lambda r: changed(r, "python", "hash_seed", to=None),
    "flag CUDNN_BENCHMARK": lambda r: changed(r, "flags", "start", "CUDNN_BENCHMARK", to="1"),
    "flags changed later": lambda r: changed(
        r, "flags", "changes", to=[{**CHANGE, "values": {"CUDNN_BENCHMARK": "1"}}]
    ),
    "command": lambda r: changed(r, "command", "argv", to=["python", "other.py"]),
    "commit": lambda r: changed(r, "code", "commit", to="0" * 40),
    "uncommitted changes": lambda r: changed(
        changed(r, "code", "dirty", to=True), "code", "diff_sha256", to="f" * 64
    ),
    "module": lambda r: changed(r, "code", "modules", 0, "sha256", to="f" * 64),
    "torch": lambda r: changed(r, "torch", "version", to="2.7.0"),
    "cuDNN": lambda r: changed(r, "torch", "cudnn", to=90200),
    "GPU": lambda r: changed(r, "gpu", "used", to=[{"name": "H100", "capability": "9.0"}]),
    "CPU instruction set in use": lambda r: changed(r, "cpu", "capability", to="DEFAULT"),
    "CPU": lambda r: changed(r, "cpu", "model", to="another"),
    "threads": lambda r: changed(r, "torch", "threads", "intraop", to=64),
    "ranks": lambda r: changed(r, "distributed", to={"world": "4", "ranks": []}),
    "data file data": lambda r: changed(r, "files", "read", 0, "sha256", to="f" * 64),
    "package numpy": lambda r: changed(r, "packages", "numpy", to="1.0"),
    "package pytest": lambda r: changed(r, "packages", "pytest", to="1.0"),
    "variable OMP_NUM_THREADS": lambda r: changed(
        r, "environment", "start", "OMP_NUM_THREADS", to="3"
    ),
    "variable changed by the program: MKL_CBWR": lambda r: changed(
        r, "environment", "changed", "MKL_CBWR", to="AVX2"
    ),
    "Python": lambda r: changed(r, "python", "version", to="3.12.0"),
    "C library": lambda r: changed(r, "system", "libc", to="glibc 2.99"),
}
"""What differs -> a record in which only that does, the likeliest explanations first."""


def complete(record: Record) -> Record:
    """A record with what this machine may not have: a repository, a name of the CPU."""
    record["code"] |= {"commit": "a" * 40, "dirty": False, "diff_sha256": None}
    record["cpu"] |= {"capability": "AVX2", "model": "this one"}
    record["torch"] |= {"cudnn": 90100}
    return record


@pytest.mark.torch
@pytest.mark.parametrize("what", list(CHANGES))
def test_each_difference_is_named_with_both_values_and_why_it_matters(
    record: Record, what: str
) -> None:
    first = complete(record)
    second = CHANGES[what](first)
    [found] = explain(first, second)
    assert found.what == what or found.what.startswith(f"{what} /")
    assert found.first != found.second
    assert str(found) == f"{found.what}: {found.first} and {found.second} ({found.why})"
    assert "\n" not in str(found)
    [back] = explain(second, first)
    assert (back.what, back.first, back.second) == (found.what, found.second, found.first)


@pytest.mark.torch
def test_the_likeliest_explanation_comes_first(record: Record) -> None:
    first = complete(record)
    second = first
    for change in reversed(CHANGES.values()):
        second = change(second)
    found = [each.what.partition(" /")[0] for each in explain(first, second)]
    assert found == list(CHANGES)


@pytest.mark.torch
def test_what_one_record_does_not_know_is_no_difference(record: Record, tmp_path: Path) -> None:
    for section in ("torch", "cpu", "system", "python", "image", "flags"):
        assert explain(record, changed(record, section, to=None)) == []
    for section in ("packages", "settings"):
        assert explain(record, changed(record, section, to=type(record[section])())) == []


@pytest.mark.torch
def test_of_many_packages_the_first_are_named_and_the_rest_counted(record: Record) -> None:
    other = copy.deepcopy(record)
    other["packages"] = dict.fromkeys(record["packages"], "0")
    found = explain(record, other)
    assert len(found) == 9
    assert found[-1].what.endswith("more of package")


@pytest.mark.torch
def test_two_real_runs_that_differ_in_threads_and_seed_are_explained_by_these(
    python: Path, kept: Path
) -> None:
    runs = corpus.of_training(python, kept)
    files = [Path(runs[name]["record"]) for name in ("one", "seed")]
    found = [str(each) for each in explain(*map(records.load, files))]
    assert found[0] == "SEED: 7 and 8 (every stream comes from it)"
    assert found[1:] == [
        "threads: 1 and 2 (sums are split among threads)",
        "variable OMP_NUM_THREADS: 1 and 2 (it chooses algorithms, devices or threads)",
    ]
