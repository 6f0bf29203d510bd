"""A determinism flag is one entry of `startup.FLAGS`; a new flag is added there alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output, run
from harness.repository import REPOSITORY

pytestmark = pytest.mark.torch

NEW = "TORCH_FP16_REDUCTION"
WHERE = "backends.cuda.matmul.allow_fp16_reduced_precision_reduction"
ENTRY = f"""FLAGS = {{
    "{NEW}": (("0", "1"), "1", "warn=0 strict=0", "{WHERE}"),
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, with one more entry in the table."""
    package = tmp_path_factory.mktemp("flags") / "seed_init"
    shutil.copytree(REPOSITORY / "seed_init", package, ignore=shutil.ignore_patterns("__pycache__"))
    table = package / "hook/startup.py"
    text = table.read_text()
    assert text.count("FLAGS = {\n") == 1
    table.write_text(text.replace("FLAGS = {\n", ENTRY))
    return package


@pytest.fixture
def python(package: Path, fresh: Callable[[str], Path]) -> Path:
    """An interpreter with that package as its hook."""
    python = fresh("bare")
    output(python, package, "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
    return python


def test_a_new_entry_is_accepted_shown_measured_set_and_missed_at_exit(python: Path) -> None:
    refused = run(python, "-c", "pass", env={"SEED": "7", NEW: "yes"})
    assert refused.stderr == f"seed_init: {NEW}='yes' is not accepted; use 0 or 1\n"
    assert refused.returncode == 78

    code = (
        "import json; from seed_init.proof.cost.choices import CHOICES, VARIABLES\n"
        f"print(json.dumps([CHOICES['off'].flags['{NEW}'], CHOICES['warn'].flags['{NEW}'],"
        f" CHOICES['{NEW}=0'].flags['{NEW}'], '{NEW}' in VARIABLES]))"
    )
    assert answer(python, "-c", code) == ["1", "0", "0", True]

    code = f"""
import json, torch, seed_init
flags = seed_init.status()["flags"]["{NEW}"]
torch.{WHERE} = True
print(json.dumps([flags, seed_init.status()["flags"]["{NEW}"]["now"]]))
"""
    done = run(python, "-c", code, env={"SEED": "7"}, timeout=180)
    told: list[Any] = json.loads(done.stdout)
    assert told == [{"value": "0", "origin": "DETERMINISM=warn", "now": "0"}, "1"]
    assert f"seed_init: at exit {NEW} is 1, not 0 (DETERMINISM=warn)" in done.stderr


def test_no_other_file_names_a_flag_where_it_could_ask_the_table() -> None:
    """But for `cost`, which offers that flag as a switch of its own."""
    naming = {
        str(file.relative_to(REPOSITORY / "seed_init"))
        for file in (REPOSITORY / "seed_init").rglob("*.py")
        if '"CUDNN_DETERMINISTIC"' in file.read_text()
    }
    assert naming == {"hook/startup.py", "proof/cost/choices.py"}
