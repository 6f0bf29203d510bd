"""What a program may do to its observer without losing it, or being disturbed by it."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, run
from seed_init.proof.trace import journal

TRAINING = """
import os, torch
from torch import nn
model = nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def step():
    optimizer.zero_grad()
    model(torch.randn(2, 4)).pow(2).mean().backward()
    optimizer.step()
"""

WINDOW = {"instruments": ["steps", "end", "window"]}


def traced(python: Path, to: Path, source: str, plan: dict[str, Any] | None = None) -> Completed:
    """Run a program with a trace in `to`/trace, in `to`."""
    journal.write_plan(to / "trace", plan or journal.DEFAULT_PLAN)
    env = {"SEED": "7", "SEED_INIT_TRACE": str(to / "trace")}
    return run(python, "-c", source, env=env, cwd=to, timeout=240)


def looking(call: int, operators: bool) -> dict[str, Any]:
    return WINDOW | {"window": {"optimizer": 0, "call": call, "operators": operators}}


def events(to: Path, kind: str) -> list[dict[str, Any]]:
    return [event for process in journal.read(to / "trace") for event in process.of(kind)]


@pytest.mark.torch
def test_a_program_that_closes_every_descriptor_is_still_seen_and_keeps_its_files(
    python: Path, tmp_path: Path
) -> None:
    source = """
step()
os.closerange(3, 1000)
files = [open(f"mine-{number}", "w") for number in range(8)]
step()
"""
    done = traced(python, tmp_path, TRAINING + source)
    assert done.returncode == 0, done.stderr
    assert [file.stat().st_size for file in tmp_path.glob("mine-*")] == [0] * 8
    assert len(events(tmp_path, "step")) == 2
    assert len(events(tmp_path, "end")) == 1


@pytest.mark.torch
def test_a_trace_cut_by_a_full_disk_can_be_read(python: Path, tmp_path: Path) -> None:
    source = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))
for _ in range(40):
    step()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    done = traced(python, tmp_path, TRAINING + source)
    assert done.returncode == 0, done.stderr
    assert 0 < len(events(tmp_path, "step")) < 40
    assert len(events(tmp_path, "end")) == 1


@pytest.mark.torch
def test_a_close_look_survives_threads_that_train(python: Path, tmp_path: Path) -> None:
    # The window opens in one thread and closes in another.
    source = """
import threading
thread = threading.Thread(target=step)
thread.start()
thread.join()
del thread
print(torch.rand(1).item())
"""
    done = traced(python, tmp_path, TRAINING + source, looking(0, operators=True))
    assert done.returncode == 0, done.stderr
    assert len(events(tmp_path, "end")) == 1


@pytest.mark.torch
def test_a_close_look_does_not_break_a_graph(python: Path, tmp_path: Path) -> None:
    source = """
compiled = torch.compile(model, backend="eager", fullgraph=True)
compiled(torch.randn(2, 4)).sum().backward()
optimizer.step()
"""
    done = traced(python, tmp_path, TRAINING + source, looking(0, operators=False))
    assert done.returncode == 0, done.stderr
    assert not events(tmp_path, "failed")


@pytest.mark.torch
def test_a_close_look_goes_past_a_module_that_fails(python: Path, tmp_path: Path) -> None:
    source = """
try:
    model(torch.randn(2, 5))
except RuntimeError:
    pass
step()
"""
    done = traced(python, tmp_path, TRAINING + source, looking(0, operators=False))
    assert done.returncode == 0, done.stderr
    assert not events(tmp_path, "failed")
    assert [event["phase"] for event in events(tmp_path, "module")] == ["input", "output"] * 2


@pytest.mark.torch
def test_a_close_look_lets_code_without_a_module_name_run(python: Path, tmp_path: Path) -> None:
    source = """
step()
names = {}
exec("def double(number): return 2 * number", names)
print(names["double"](21))
step()
"""
    done = traced(python, tmp_path, TRAINING + source, looking(1, operators=False))
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


@pytest.mark.torch
def test_verify_says_that_the_end_was_not_seen(python: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINING + "step()\nos._exit(0)\n")
    words = ("--no-perturb", "--json", "--", str(python), "train.py")
    done = run(
        python, "-m", "seed_init", "verify", *words, env={"SEED": "7"}, cwd=tmp_path, timeout=240
    )
    assert done.returncode == 0, done.stderr
    lines = json.loads(done.stdout)["not_compared"]
    assert any("its final weights and generators" in line for line in lines)


def test_verify_survives_a_program_that_removes_its_trace(python: Path, tmp_path: Path) -> None:
    source = "import os, shutil; shutil.rmtree(os.environ['SEED_INIT_TRACE'])"
    words = ("--no-perturb", "--", str(python), "-c", source)
    done = run(python, "-m", "seed_init", "verify", *words, env={"SEED": "7"}, cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "failed: the trace is lost" in done.stdout
