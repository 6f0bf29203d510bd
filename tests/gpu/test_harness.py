"""The programs and the comparison, on the CPU, where three documented operators vary as well."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, output, run
from harness.sharing import once

from . import running
from .conftest import with_packages
from .levels import LEVELS
from .models import MODELS
from .operators import OPERATORS
from .running import Launched, gathered, lines, run_program, told

ALERT_ON_CPU = ("put_", "max_unpool1d", "max_unpool2d", "max_unpool3d", "resize_quantized")
VARY_ON_CPU = [name for name, each in OPERATORS.items() if each.device == "cpu" and each.varies]
LAUNCHES = 6
PROCESSES = {"off": 1, "warn": 2, "strict": 1}
ONE_THREAD: dict[str, Any] = {"OMP_NUM_THREADS": "1"}
"""Threads of several processes that wait for each other take the time of all."""

pytestmark = pytest.mark.torch


def launched(kept: Path, python: Path, level: str) -> dict[str, Launched]:
    """All operators, under a level."""
    repeats = range(PROCESSES[level])
    return gathered([once(kept, on_cpu, str(python), level, repeat) for repeat in repeats])


def on_cpu(python: str, level: str, repeat: int) -> list[dict[str, object]]:
    # Where one thread does it all, nothing varies.
    env: dict[str, Any] = {
        "DETERMINISM": level,
        "OMP_NUM_THREADS": "4",
        "OMP_WAIT_POLICY": "passive",
    }
    return lines(run_program(python, "launch", "--launches", LAUNCHES, **env))


@pytest.mark.parametrize("level", LEVELS)
def test_every_operator_runs(kept: Path, python: Path, level: str) -> None:
    found = launched(kept, python, level)
    assert list(found) == list(OPERATORS)
    raised = {name: each.errors for name, each in found.items() if each.errors}
    assert sorted(raised) == sorted(ALERT_ON_CPU if level == "strict" else ())
    whole = [each for name, each in found.items() if name not in raised]
    assert {len(each.digests) for each in whole} == {PROCESSES[level] * LAUNCHES}


@pytest.mark.parametrize("name", ALERT_ON_CPU)
class TestAnOperatorWithoutADeterministicVersion:
    def test_is_silent_under_off(self, kept: Path, python: Path, name: str) -> None:
        assert launched(kept, python, "off")[name].complaints() == []

    def test_warns_under_warn(self, kept: Path, python: Path, name: str) -> None:
        alert = OPERATORS[name].state.alert
        found = launched(kept, python, "warn")[name]
        assert alert and found.warned(alert) and not found.errors

    def test_raises_under_strict(self, kept: Path, python: Path, name: str) -> None:
        found = launched(kept, python, "strict")[name]
        error = f"RuntimeError: {OPERATORS[name].state.error}"
        assert len(found.errors) == PROCESSES["strict"] and all(
            each.startswith(error) for each in found.errors
        )


def test_documented_operators_vary_on_the_cpu_under_off(kept: Path, python: Path) -> None:
    """Not each in every run: on a busy machine the threads may work one after the other."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one processor: its threads do not meet")
    found = launched(kept, python, "off")
    assert any(found[name].varied for name in VARY_ON_CPU)


@pytest.mark.parametrize("level", ["warn", "strict"])
def test_no_operator_varies_on_the_cpu(kept: Path, python: Path, level: str) -> None:
    """Those among them that vary under off."""
    found = launched(kept, python, level)
    assert [name for name, each in found.items() if each.varied] == []
    assert all(found[name].complaints() == [] for name in VARY_ON_CPU)


def test_the_comparison_fails_where_bits_differ(python: Path) -> None:
    found = gathered([lines(run_program(python, "launch", "--launches", 2, "noise", "mm"))])
    assert found["noise"].varied and not found["mm"].varied


def test_what_only_one_of_several_processes_computed_otherwise_is_seen() -> None:
    line = {"name": "one", "digests": ["a", "a"], "warnings": [], "error": None}
    assert not gathered([[line], [line]])["one"].varied
    assert gathered([[line], [{**line, "digests": ["a", "b"]}]])["one"].varied


def test_a_process_that_dies_is_an_error_unless_it_said_something() -> None:
    with pytest.raises(AssertionError, match="it broke"):
        lines(Completed([], 1, "", "it broke"))
    assert lines(Completed([], -11, '{"name": "one"}\nrest\n', "")) == [{"name": "one"}]


def test_every_model_trains_and_gives_the_same_bits_in_another_process(python: Path) -> None:
    words = (running.MODELS, "--steps", 1)
    runs = [run_program(python, "train_models", *words, **ONE_THREAD) for _ in range(2)]
    found = gathered([lines(each) for each in runs])
    assert list(found) == list(MODELS)
    for each in found.values():
        assert len(each.digests) == 2 and not each.varied and not each.errors


def test_a_model_that_fails_is_told_and_the_next_is_trained(python: Path, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("MODELS = ('bad', 'good')\n")
    (tmp_path / "train.py").write_text(
        "class Training:\n"
        "    def __init__(self, name, device): assert name != 'bad', 'so it is'\n"
        "    def step(self): pass\n"
        "    def digest(self): return 'x'\n"
    )
    bad, good = lines(run_program(python, "train_models", tmp_path))
    assert bad["error"] == "AssertionError: so it is" and bad["digests"] == []
    assert good["error"] is None and good["digests"] == ["x"]


def test_the_other_programs_run(python: Path) -> None:
    assert len(set(told(python, "graph", "cpu", **ONE_THREAD)["masks"])) == 6
    one, two = (told(python, "train", "cpu", 2, **ONE_THREAD) for _ in "12")
    assert one == two
    assert told(python, "products", "cpu", **ONE_THREAD)["workspace"] == ":4096:8"
    # CUDA_VISIBLE_DEVICES: this one is for any device, so on a machine with a GPU it has none.
    nothing = told(python, "devices", CUDA_VISIBLE_DEVICES="")
    assert nothing == {"early": False, "devices": 0, "numbers": [], "seeds": [], "cpu": 7}


@pytest.mark.parametrize("how", ["spawn", "fork", "idle"])
def test_children_draw_on_the_cpu(python: Path, how: str) -> None:
    drawn = told(python, "children", how, "cpu")
    assert len({json.dumps(each) for each in drawn["children"]}) == 3


class TestTheReason:
    def test_names_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(running, "facts", lambda: {"torch": "2.6.0+cu124", "devices": []})
        wanted = "no CUDA device: torch.cuda.is_available() is False (torch 2.6.0+cu124)"
        assert running.no_gpu() == wanted

    def test_is_none_where_there_is_a_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(running, "facts", lambda: {"torch": "2.6.0", "devices": ["H200"]})
        assert running.no_gpu() is None


def test_programs_get_the_machines_libraries_after_the_interpreters(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's driver is found by LD_LIBRARY_PATH, a Python that was built shared as well."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/nvidia/lib64")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    env = running.on_machine(python, {"SEED": "7"})
    assert (env["LD_LIBRARY_PATH"] or "").split(":")[-1] == "/usr/local/nvidia/lib64"
    assert env["CUDA_VISIBLE_DEVICES"] == "1" and env["SEED"] == "7"


def test_the_interpreters_see_torch_wherever_it_is(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a virtual environment over a system's torch there are several directories."""
    place = tmp_path / "elsewhere/dist-packages"
    place.mkdir(parents=True)
    (place / "only_there.py").write_text("value = 5\n")
    monkeypatch.syspath_prepend(str(place))
    copy = tmp_path / "prefix/lib/python3.0/site-packages"
    copy.mkdir(parents=True)
    (copy / "packages.pth").write_text("/nowhere\n")
    with_packages(tmp_path / "prefix/bin/python3")
    assert str(place) in (copy / "packages.pth").read_text().splitlines()
    assert run(python, "-c", "import torch", env={"SEED_INIT": "0"}).returncode == 0
    assert output(python, "-c", "import site; print(1)") == "1"
