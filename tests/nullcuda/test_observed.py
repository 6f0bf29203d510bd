"""What observes a program leaves its use of CUDA as it is, and reads what is there.

Each test is one process, or a few: torch is imported once in each.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gpu.operators import OPERATORS
from gpu.running import release
from gpu.states import Kind

from harness.processes import run
from seed_init.proof.observer.audit import operators
from seed_init.proof.trace import journal
from seed_init.proof.trace.records import assemble

from .running import NullCuda

PROGRAMS = Path(__file__).parent / "programs"

EVERYTHING: dict[str, Any] = {
    "instruments": [
        *("facts", "flags", "steps", "end", "files"),
        *("seeds", "window", "auditing", "timing"),
    ],
    "window": {"optimizer": 0, "call": 1, "operators": True},
    "warmup": 1,
    "steps": 500,
}
"""What records, the closer look, the audit and the measurement of cost have together."""


def observed(
    python: Path,
    program: str,
    plan: dict[str, Any],
    trace: Path,
    *arguments: str,
    **env: str,
) -> "tuple[subprocess.CompletedProcess[str], list[journal.Process]]":
    """Run a program that must end well, and read its trace, which must be whole."""
    journal.write_plan(trace, plan)
    env |= {"SEED": "7", "SEED_INIT_TRACE": str(trace)}
    done = run(python, PROGRAMS / program, *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    processes = journal.read(trace)
    assert [event for each in processes for event in each.of("failed")] == []
    return done, processes


def test_cuda_starts_at_its_first_use_also_with_every_instrument(
    python: Path, null_cuda: NullCuda, tmp_path: Path
) -> None:
    """So that the devices can be chosen after the import of torch, and used in forked children."""
    log = tmp_path / "log"
    env = null_cuda.env(log=log, name="Null GPU")
    done, processes = observed(python, "cpu_training.py", EVERYTHING, tmp_path / "trace", **env)
    assert done.stdout.split("\n")[:2] == ["not started", "0 cuda:0"]
    callers = {line.split()[0] for line in log.read_text().splitlines()}
    assert str(processes[0].header["pid"]) not in callers
    moments = [each["moment"] for each in processes[0].of("facts")]
    assert moments == ["start", "torch", "end"]
    # Of the child, which had CUDA, and of its parent.
    record = assemble(tmp_path / "trace", ended=None, status=0, how="exit")
    assert [each["name"] for each in record["gpu"]["used"]] == ["Null GPU"]
    assert record["torch"]["cudnn"] and record["torch"]["onednn"]


def test_forked_children_end_well_while_copies_of_their_parent_are_under_way(
    python: Path, null_cuda: NullCuda, tmp_path: Path
) -> None:
    env = null_cuda.env(kernel_ns=300_000)
    # PyTorch waits for threads of the parent's that no child has (autograd/engine.cpp, stop).
    env["TORCH_AUTOGRAD_SHUTDOWN_WAIT_LIMIT"] = "0"
    done, processes = observed(python, "forked_children.py", EVERYTHING, tmp_path / "trace", **env)
    assert done.stdout.splitlines() == ["worker 0", "program 0", "trained"]
    assert len(processes[0].of("step")) == 80


def test_a_capture_stays_whole_and_the_final_weights_are_those_on_the_device(
    python: Path, null_cuda: NullCuda, tmp_path: Path
) -> None:
    window = {"optimizer": 0, "call": 4, "operators": True}  # the one with the capture
    plan = {"instruments": ["steps", "end", "window", "seeds"], "window": window}
    log = tmp_path / "log"
    env = null_cuda.env(log=log)
    done, [process] = observed(python, "captured.py", plan, tmp_path / "trace", **env)
    seen = log.read_text().splitlines()
    assert not any("UNSAFE" in line or "INVALIDATED" in line for line in seen)
    steps = process.of("step")
    assert [each["call"] for each in steps] == [0, 1, 2, 3]
    # A nested tensor as the root of the last one.
    assert [len(each["loss"]) for each in steps] == [1, 1, 1, 1]
    assert {each["module"] for each in process.of("operator") if "module" in each} > {"0", "2"}
    [end] = process.of("end")
    assert end["final"][0]["digests"][0] == json.loads(done.stdout)
    # The step may have run on any stream.
    [read] = [at for at, line in enumerate(seen) if line.endswith("copy 40000000 to host")]
    synchronised = [line for line in seen[:read] if "kernel" in line or "sync" in line]
    assert synchronised[-1].endswith("sync cudaDeviceSynchronize")


LINES = {
    "torch.cumsum(flat, 0)": "off",
    "torch.cumprod(flat, 0)": "off warn",
    'y.index_reduce_(0, at, source, "prod")': "off warn",
    "y.index_add_(0, at, source)": "off",
    'y.scatter_(0, at, source, reduce="multiply")': "off warn",
    "torch.histc(y, 5)": "off warn",
    'F.interpolate(leaf(1, 1, 8, 8), scale_factor=2, mode="bilinear").sum().backward()': "off",
    'F.interpolate(leaf(1, 1, 8, 8), scale_factor=2, mode="bicubic").sum().backward()': "off warn",
    'F.pad(leaf(1, 2, 8), (1, 1), mode="replicate").sum().backward()': "off",
    'F.pad(leaf(1, 2, 8), (1, 1), mode="reflect").sum().backward()': "off warn",
    "F.nll_loss(leaf(4, 3, 2, 2), classes).backward()": "off warn",
    "torch.take(leaf(10), at).sum().backward()": "off warn",
}
"""Line of `audited.py` -> under which levels the audit lists it."""


@pytest.mark.parametrize("level", ["off", "warn"])
def test_the_audit_lists_the_operators_that_vary_by_the_lines_that_call_them(
    python: Path, null_cuda: NullCuda, level: str
) -> None:
    """Those of a backward pass, which runs in a thread of the device's, by the forward's line."""
    command = [python, "-W", "ignore", PROGRAMS / "audited.py"]
    env = null_cuda.env() | {"SEED": "7", "DETERMINISM": level}
    done = run(python, "-m", "seed_init", "audit", "--json", "--", *command, env=env)
    assert done.returncode == 0, done.stderr
    found = [one for one in json.loads(done.stdout)["findings"] if one["kind"] == "operator"]
    assert [one["text"] for one in found] == [line for line in LINES if level in LINES[line]]
    assert {one["count"] for one in found} == {1}
    has_version = [one for one in found if "no deterministic version" not in one["detail"]]
    assert [one["text"] for one in has_version] == [
        line for line in LINES if LINES[line] == level == "off"
    ]


UNLISTED = {
    # Products vary only where a program uses several streams.
    *("mm", "mv", "bmm"),
    # Since PyTorch 2.14.
    "embedding_backward",
}
"""Operators of the catalogue that the audit does not list."""

COMPUTED = {"bmm_sparse_dense", "repeat_interleave_backward"}
"""How large their tensors are is computed on the device, where nothing is."""


@pytest.mark.skipif(release()[:2] != (2, 6), reason="the audit's table is that of PyTorch 2.6")
def test_the_audit_and_pytorch_agree_about_every_operator_of_the_catalogue(
    python: Path, null_cuda: NullCuda, tmp_path: Path
) -> None:
    """What has a deterministic version is listed under off only, what has none is always."""
    plan = {"instruments": ["auditing"], "audit": ["operators"]}
    tests = Path(__file__).parents[1]
    env = null_cuda.env(capability=90)
    done, _ = observed(python, "catalogue.py", plan, tmp_path, str(tests), **env)
    seen = json.loads(done.stdout.splitlines()[-1])
    # The rules of attention have tests of their own.
    catalogue = {
        name: each.state
        for name, each in OPERATORS.items()
        if each.device == "cuda" and "attention" not in name and name not in COMPUTED
    }
    for name in catalogue:
        state, (_, off), (warned, warn) = catalogue[name], *seen[name].values()
        has_none = state.kind is not Kind.DETERMINISTIC
        alerts = [state.alert] if state.kind is Kind.NONE else []
        assert [each[: len(alert)] for each, alert in zip(warned, alerts, strict=True)] == alerts
        listed = {operators.WITHOUT if has_none else operators.WITH}
        expected = set() if name in UNLISTED else listed
        assert {each.partition(": ")[2] for each in off} == expected, name
        assert {each.partition(": ")[2] for each in warn} == (expected if has_none else set()), name
