"""CUBLAS_WORKSPACE_CONFIG: out of C's environment once CUDA has started, kept for all others.

While it is there, PyTorch compiles a regular expression for every product.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import run

from .running import NullCuda

PROGRAM = Path(__file__).parent / "programs" / "products.py"
OURS = ":4096:8"


def told(python: Path, null_cuda: NullCuda, *arguments: str, **env: str) -> dict[str, Any]:
    env = {**null_cuda.env(), "SEED": "7", "DETERMINISM": "strict", **env}
    done = run(python, PROGRAM, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    # Nothing has changed for who reads os.environ.
    assert "at exit" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_products_do_not_find_it_and_children_do(python: Path, null_cuda: NullCuda) -> None:
    """Under strict, where PyTorch raises in a product that misses it before it was looked for."""
    found = told(python, null_cuda)
    children = found.pop("children")
    assert set(children.values()) == {OURS}, children
    assert found == {
        "before": OURS,
        "started": None,
        "allocated": [0, 0],
        "after": None,
        "os.environ": OURS,
        "other": "new",
        "another value": [":16:8", OURS],
        "removed": [None, ""],
        "set again": None,
    }


@pytest.mark.parametrize("arguments", [(), ("cupy",)])
def test_it_stays_where_the_user_set_it_or_another_library_reads_it(
    python: Path, null_cuda: NullCuda, arguments: tuple[str, ...]
) -> None:
    env = {} if arguments else {"CUBLAS_WORKSPACE_CONFIG": OURS}
    found = told(python, null_cuda, *arguments, **env)
    assert (found["before"], found["started"], found["after"]) == (OURS, OURS, OURS)
    assert set(found["children"].values()) == {OURS}


REPLACED = """
import os, posix, subprocess
own = {name: lambda *_: "the program's" for name in ("system", "execv", "putenv")}
vars(os).update(own)
fork_exec = subprocess._fork_exec = lambda *_: 0
from seed_init.hook import cublas
cublas._give_to_children()
assert all(getattr(os, name) is function for name, function in own.items())
assert subprocess._fork_exec is fork_exec
assert all(hasattr(getattr(posix, name), "__wrapped__") for name in own)
"""


def test_functions_that_the_program_has_replaced_stay_the_programs(python: Path) -> None:
    """Such as those that a test of the program's has replaced by mocks."""
    done = run(python, "-c", REPLACED)
    assert done.returncode == 0, done.stderr


UPGRADED = """
import sys
import torch
sys.modules["seed_init.hook.cublas"] = None  # what an import finds that cannot be made any more
print(torch.zeros(2, device="cuda").device)
"""


def test_cuda_starts_where_the_hooks_module_cannot_be_imported(
    python: Path, null_cuda: NullCuda
) -> None:
    """As after an upgrade under a running kernel."""
    done = run(python, "-c", UPGRADED, env={**null_cuda.env(), "SEED": "7"})
    assert (done.returncode, done.stdout) == (0, "cuda:0\n"), done.stderr
