"""Operators of PyTorch under level portable: the same bits everywhere, and right ones."""

import ctypes
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, run
from harness.sharing import once
from seed_init.libraries import machine_code

from .support import program

ENVIRONMENT = {
    "SEED": "7",
    "DETERMINISM": "portable",
    "SEED_INIT_LOG": "quiet",
}
EXACT = (
    "complex64 is divided by IEEE operations",
    "and in vmap and a compiled function",
    "real numbers are divided exactly",
    "sqrt of float64 is rounded correctly",
    "sqrt of smaller types is rounded correctly",
    "float32 is factored in float64",
    "the gradient of a factor",
    "the gradient of least squares",
    "int8 is multiplied exactly",
)

WITHOUT_MEMORY = """
from seed_init.libraries import machine_code
def refuse(code):
    raise machine_code.NoMemory("Permission denied")
machine_code.executable = refuse
import torch
print("user code ran")
"""

pytestmark = pytest.mark.torch


def found_by(python: str) -> Any:
    return answer(python, program("portable_operators"), env=ENVIRONMENT)


@pytest.fixture
def facts(kept: Path, python: Path) -> Any:
    """What one process has found, for all tests."""
    return once(kept, found_by, str(python))


@pytest.mark.parametrize("fact", EXACT)
def test_it_is_exact(facts: dict[str, Any], fact: str) -> None:
    assert facts[fact] is True


def test_complex64_has_small_errors_forward_and_backward(facts: dict[str, Any]) -> None:
    errors = facts["relative errors"]
    assert set(errors) == {"div", "addcdiv", "atan", "silu"}
    assert max(errors.values()) < 1e-5


def test_least_squares_have_one_solution(facts: dict[str, Any]) -> None:
    assert facts["solutions of one least-squares problem"] == 1
    assert facts["errors of least squares"] < 1e-4


def test_least_squares_for_no_right_side_are_solved_as_ever(facts: dict[str, Any]) -> None:
    assert facts["a right side without columns"] == [[3, 20, 0], [3, 20, 0]]


def test_matrices_of_int8_that_do_not_fit_are_told_as_ever(facts: dict[str, Any]) -> None:
    assert facts["wrong products"] == [
        "int_mm_out_cpu: self.size(1) needs to match mat2.size(0) but got 96 and 64",
        "int_mm_out_cpu: Expected self to be of dimension 2 but got 1",
        "int_mm_out_cpu: Expected result.size(0) to be 64 but got 1",
    ]


def test_a_matrix_that_has_no_factor_is_told_as_ever(facts: dict[str, Any]) -> None:
    assert facts["a matrix without a factor"] == (
        "linalg.cholesky: The factorization could not be completed because the input is not "
        "positive-definite (the leading minor of order 1 is not positive-definite)."
    )


def test_tensors_without_numbers_are_left_alone(facts: dict[str, Any]) -> None:
    assert (facts["fake"], facts["meta"]) == ("FakeTensor", "meta")


def test_a_convolution_adds_in_one_order_on_machines_with_other_caches(
    facts: dict[str, Any],
) -> None:
    here, elsewhere, without_the_level = facts["a convolution of another machine"]
    assert here == elsewhere != without_the_level
    assert facts["oneDNN is used"] is True


def test_the_kernel_tells_what_may_be_written_to_in_a_sandbox_without_proc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise FileNotFoundError(arguments[0])

    monkeypatch.setattr("builtins.open", refuse)
    numbers = (ctypes.c_ubyte * 3)(1, 2, 3)
    assert machine_code.is_writable(ctypes.addressof(numbers) + 1)
    assert list(numbers) == [1, 2, 3]
    assert not machine_code.is_writable(machine_code.executable(b"\xc3"))
    assert not machine_code.is_writable(0)


def test_a_system_without_memory_for_instructions_is_refused(python: Path) -> None:
    done = run(python, "-c", WITHOUT_MEMORY, env=ENVIRONMENT)
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr == (
        "seed_init: DETERMINISM=portable cannot be kept: the system gives no memory for "
        "instructions (Permission denied), which the exact sqrt and division need; "
        "allow this process execmem\n"
    )
