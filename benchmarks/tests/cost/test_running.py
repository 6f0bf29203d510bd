"""What is run, and what becomes of a run that fails."""

import sys

import pytest

from benchmarks.cost import measuring, table
from benchmarks.cost.arms import ARMS, Arm
from benchmarks.cost.running import Interpreters, operators, reason, train, with_lines
from harness.processes import REPOSITORY, run

TINY = ("--device", "cpu", "--warmup", "0", "--steps", "2", "--threads", "1")
# An operator without a deterministic version on the CPU as well.
PUT = """
import torch
torch.use_deterministic_algorithms(True, warn_only={warn_only})
torch.zeros(4).put_(torch.tensor([1]), torch.tensor([1.0]))
"""


def test_the_lines_of_a_peer_come_first_after_the_docstring() -> None:
    assert with_lines('"""What."""\nimport os\n', "") == '"""What."""\nimport os\n'
    text = with_lines('"""What.\n\nMore.\n"""\n\nimport os\n', "import a\n")
    assert text == '"""What.\n\nMore.\n"""\n\nimport a\n\nimport os\n'


@pytest.mark.torch
def test_the_recipe_and_the_hook_train_to_the_same_bits(pythons: Interpreters) -> None:
    by_hand = train(pythons, ARMS["recipe"], "lstm", *TINY)
    hooked = train(pythons, ARMS["warn"], "lstm", *TINY)
    assert by_hand["digest"] == hooked["digest"]
    assert len(by_hand["step_ms"]) == 2
    assert by_hand["flags"] == hooked["flags"] | {"fill_uninitialized_memory": True}


@pytest.mark.torch
def test_an_arm_that_fails_becomes_a_cell_and_the_rest_goes_on(pythons: Interpreters) -> None:
    broken = Arm("broken", "broken", "levels", {"SEED": "7", "DETERMINISM": "slow"})
    told: list[str] = []
    cells = measuring.measure(pythons, [ARMS["off"], broken], "lstm", 2, TINY, told.append)
    assert cells["off"]["failed"] is None
    assert len(cells["off"]["step_ms"]) == len(cells["off"]["digests"]) == 2
    assert "DETERMINISM='slow' is not accepted" in cells["broken"]["failed"]
    assert sum("broken" in line for line in told) == 1, "run again though it had failed"
    result = {"models": {"lstm": cells}}
    shown = table.cell(table.cost(result, "lstm", "broken"))
    assert shown.startswith("fails: seed_init: DETERMINISM='slow'")
    assert table.costs(result, "broken") == []


@pytest.mark.torch
def test_operators_are_read_from_what_pytorch_says(pythons: Interpreters) -> None:
    warned = run(pythons.bare, "-c", PUT.format(warn_only=True))
    raised = run(pythons.bare, "-c", PUT.format(warn_only=False))
    assert warned.returncode == 0
    assert operators(warned.stderr) == ["put_"]
    assert reason(raised.stderr, raised.returncode) == "raises: put_"


def test_a_reason_is_the_last_line_where_it_is_no_operator() -> None:
    assert (
        reason("Traceback (most recent call last):\nKeyError: 'a'\n", 1) == "fails: KeyError: 'a'"
    )
    assert reason("", -9) == "fails: status -9"


def test_an_operator_that_was_only_warned_of_is_no_reason() -> None:
    stderr = (
        "UserWarning: put_ does not have a deterministic implementation, but …\n"
        "Traceback (most recent call last):\nValueError: no\n"
    )
    assert reason(stderr, 1) == "fails: ValueError: no"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--render", "missing.json"), "missing.json cannot be read: No such file or directory"),
        (("--render", "README.md"), "README.md is no result of this benchmark"),
        (("--arms", "x"), "--arms x: there is no such arm or group"),
        (("--output", "/proc/x"), "/proc/x cannot be written: No such file or directory"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_measured(
    words: tuple[str, ...], said: str
) -> None:
    done = run(sys.executable, "-m", "benchmarks.cost", *words, cwd=REPOSITORY)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"benchmarks.cost: {said}")
    assert done.stderr.count("\n") == 1
