"""At exit: which determinism flags are no longer as they were set."""

import json
from pathlib import Path

import pytest

from harness.processes import output, run

from .support import program

pytestmark = pytest.mark.torch


def at_exit(python: Path, script: Path, code: str, **env: str) -> list[str]:
    """The lines about flags that a program's end prints."""
    script.write_text(code)
    done = run(python, script, env={"SEED": "7", **env}, timeout=180)
    assert done.returncode == 0, done.stderr
    start = "seed_init: at exit "
    lines = done.stderr.splitlines()
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "train.py"


def test_a_run_that_changes_nothing_says_nothing(python: Path, script: Path) -> None:
    assert at_exit(python, script, "import torch\ntorch.rand(3)\n") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "torch.backends.cudnn.benchmark = True",
            "CUDNN_BENCHMARK is 1, not 0 (DETERMINISM=warn), set at {script}:2",
        ),
        (
            "torch.backends.cudnn.deterministic = False",
            "CUDNN_DETERMINISTIC is 0, not 1 (DETERMINISM=warn), set at {script}:2",
        ),
        (
            "torch.use_deterministic_algorithms(False)",
            "TORCH_DETERMINISTIC_ALGORITHMS is 0, not warn (DETERMINISM=warn), set at {script}:2",
        ),
        (
            "torch.set_deterministic_debug_mode('error')",
            "TORCH_DETERMINISTIC_ALGORITHMS is 1, not warn (DETERMINISM=warn), set at {script}:2",
        ),
        (
            "torch.utils.deterministic.fill_uninitialized_memory = True",
            "TORCH_FILL_UNINITIALIZED_MEMORY is 1, not 0 (DETERMINISM=warn)",
        ),
    ],
)
def test_a_change_is_named_with_its_place_where_that_is_known(
    python: Path, script: Path, change: str, told: str
) -> None:
    lines = at_exit(python, script, f"import torch\n{change}\n")
    assert lines == [told.format(script=script)]


def test_several_changes_are_one_line(python: Path, script: Path) -> None:
    code = """import os, torch
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.deterministic = False
os.environ.pop("CUBLAS_WORKSPACE_CONFIG")
os.environ.pop("PYTHONHASHSEED")
os.environ["NCCL_NVLS_ENABLE"] = "1"
"""
    [line] = at_exit(python, script, code)
    assert line.count(";") == 4
    assert "CUBLAS_WORKSPACE_CONFIG was :4096:8 and is not set" in line
    assert "PYTHONHASHSEED was 0 and is not set" in line
    assert "NCCL_NVLS_ENABLE was 0 and is 1" in line


def test_a_flag_that_cannot_be_read_hides_no_other(python: Path) -> None:
    """The former TF32 flags raise beside the newer ones: torch 2.9 and later."""
    env = {"SEED": "7", "CUDNN_ALLOW_TF32": "1", "TORCH_ALLOW_TF32": "0"}
    done = run(python, program("precisions"), env=env)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    cudnn, matmul = ("mixed", "1") if told["has_newer"] else ("unknown", "0")
    assert told["flags"] == {
        "CUDNN_DETERMINISTIC": "1",
        "CUDNN_BENCHMARK": "1",
        "CUDNN_ALLOW_TF32": cudnn,
        "TORCH_ALLOW_TF32": matmul,
        "TORCH_DETERMINISTIC_ALGORITHMS": "warn",
        "TORCH_FILL_UNINITIALIZED_MEMORY": "0",
    }
    assert told["recorded"].items() >= told["flags"].items()
    assert told["recorded"]["float32_matmul_precision"] == "unknown"
    assert told["recorded"]["cudnn_enabled"] is True
    [line] = [line for line in done.stderr.splitlines() if "at exit" in line]
    assert f"CUDNN_ALLOW_TF32 is {cudnn}, not 1 (environment)" in line
    assert f"CUDNN_BENCHMARK is 1, not 0 (DETERMINISM=warn), set at {program('precisions')}" in line
    assert "seed_init: SEED=7 (environment)" in done.stderr
    assert "Warning" not in done.stderr


def test_a_change_that_is_taken_back_is_none(python: Path, script: Path) -> None:
    code = """import torch
with torch.backends.cudnn.flags(benchmark=True):
    pass
torch.use_deterministic_algorithms(False)
torch.use_deterministic_algorithms(True, warn_only=True)
"""
    assert at_exit(python, script, code) == []


@pytest.mark.parametrize("env", [{"SEED_INIT_LOG": "quiet"}, {"DETERMINISM": "off"}])
def test_nothing_is_said_where_nobody_asked(
    python: Path, script: Path, env: dict[str, str]
) -> None:
    code = "import torch\ntorch.backends.cudnn.benchmark = True\n"
    assert at_exit(python, script, code, **env) == []


def test_only_what_was_set_is_compared(python: Path, script: Path) -> None:
    """DETERMINISM=fast sets one flag; the others are the program's own affair."""
    code = """import torch
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.benchmark = False
"""
    [line] = at_exit(python, script, code, DETERMINISM="fast")
    assert line == f"CUDNN_BENCHMARK is 0, not 1 (DETERMINISM=fast), set at {script}:3"


def test_workers_say_nothing(python: Path, script: Path) -> None:
    code = """import torch, multiprocessing
def work():
    torch.backends.cudnn.benchmark = True
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=work)
        process.start(); process.join()
"""
    assert at_exit(python, script, code) == []


def test_flags_are_set_as_before(python: Path, bare: Path) -> None:
    """What stands in for the setters sets, returns and refuses like them."""
    code = """
import inspect, torch
torch.backends.cudnn.benchmark = True
print(torch.backends.cudnn.benchmark, torch.use_deterministic_algorithms(True))
print(torch.get_deterministic_debug_mode(), inspect.signature(torch.use_deterministic_algorithms))
for change in (lambda: torch.set_deterministic_debug_mode("loud"),
               lambda: setattr(torch.backends.cudnn, "benchmark", "yes")):
    try: change()
    except Exception as error: print(type(error), str(error).splitlines()[0])
"""
    quiet = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
    assert output(python, "-c", code, env=quiet) == output(bare, "-c", code)


def test_lightning_is_named(python: Path, script: Path) -> None:
    """Its Trainer has switches of its own, which win because they come later."""
    code = """
from lightning import Trainer
Trainer(logger=False, accelerator="cpu", deterministic=False, benchmark=True)
"""
    [line] = at_exit(python, script, code)
    assert "TORCH_DETERMINISTIC_ALGORITHMS is 0, not warn (DETERMINISM=warn), set at " in line
    assert "CUDNN_BENCHMARK is 1, not 0 (DETERMINISM=warn), set at " in line
    assert line.count("accelerator_connector.py:") == 2
