"""DETERMINISM=portable sets, before user code, what makes libraries compute alike on every CPU."""

import ctypes.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, answer, output, run
from seed_init.hook import portability

PORTABLE = {"SEED": "7", "DETERMINISM": "portable", "SEED_INIT_LOG": "quiet"}
VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_VML_DEBUG_CPU_TYPE": "1",
    "MKL_NUM_THREADS": "2",
    "MKL_DYNAMIC": "FALSE",
    "OMP_NUM_THREADS": "2",
    "OMP_DYNAMIC": "FALSE",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX "
    "AVX512_CNL AVX512_ICL AVX512_SPR X86_V4",
    "NUMBA_NUM_THREADS": "2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
    "NUMBA_DISABLE_INTEL_SVML": "1",
    "OPENCV_IPP": "disabled",
    "OPENCV_FOR_THREADS_NUM": "2",
    "ARROW_USER_SIMD_LEVEL": "AVX2",
    "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
    "TF_NUM_INTRAOP_THREADS": "2",
}
COUNTS = tuple(name for name, value in VARIABLES.items() if value == "2")
NAMES = tuple(VARIABLES)
# What the libraries see is the environment of C, and what children get is that of Python.
SEEN = f"""
import ctypes, json, os
get = ctypes.CDLL(None).getenv
get.restype = ctypes.c_char_p
of_c = {{name: (get(name.encode()) or b"").decode() for name in {NAMES!r}}}
of_python = {{name: os.environ.get(name, "") for name in {NAMES!r}}}
assert of_c == of_python
print(json.dumps(of_c))
"""


def seen(python: Path, **env: str) -> dict[str, str]:
    """The variables of the level that a program finds."""
    found: dict[str, str] = answer(python, "-c", SEEN, env={**PORTABLE, **env})
    return {name: value for name, value in found.items() if value}


def refused(python: Path, **env: str) -> str:
    """The one line of a process that is refused."""
    done = run(python, "-c", "print('user code ran')", env={**PORTABLE, **env})
    assert (done.stdout, done.returncode) == ("", 78), done
    (line,) = done.stderr.splitlines()
    return line.removeprefix("seed_init: under DETERMINISM=portable ")


def test_the_variables_are_set_when_user_code_begins(python: Path) -> None:
    assert seen(python) == VARIABLES


def test_the_level_needs_no_seed(python: Path) -> None:
    assert seen(python, SEED="") == VARIABLES


def test_no_other_level_sets_any_of_them(python: Path) -> None:
    assert seen(python, DETERMINISM="strict") == {}
    assert seen(python, SEED_INIT="0") == {}


def test_the_number_of_threads_is_the_same_everywhere_and_can_be_chosen(python: Path) -> None:
    threads = dict.fromkeys(COUNTS, "3")
    assert seen(python, SEED_INIT_THREADS="3") == VARIABLES | threads


@pytest.mark.parametrize("name", NAMES)
def test_another_value_is_refused(python: Path, name: str) -> None:
    line = refused(python, **{name: "3"})
    instead = VARIABLES[name]
    if name in COUNTS:
        instead = "SEED_INIT_THREADS=3, which sets it everywhere,"
    assert line == f"{name}='3' is not accepted; use {instead} or leave it unset"


@pytest.mark.parametrize("name", portability.UNSET)
def test_a_variable_that_would_defeat_another_is_refused(python: Path, name: str) -> None:
    line = refused(python, **{name: "2"})
    assert line.startswith(f"{name}='2' is not accepted, because ")
    assert line.endswith(f"leave {name} unset")


def test_what_strict_refuses_is_refused(python: Path) -> None:
    assert refused(python, NCCL_ALGO="Tree").startswith("NCCL_ALGO='Tree' is not accepted")


def test_the_same_value_in_other_words_is_accepted_and_given_in_those_of_the_level(
    python: Path,
) -> None:
    """NumPy and PyTorch do not know their words in another case, and would ignore them."""
    same = {
        "OPENBLAS_CORETYPE": "haswell",
        "OMP_DYNAMIC": "false",
        "NPY_DISABLE_CPU_FEATURES": ",".join(
            reversed(VARIABLES["NPY_DISABLE_CPU_FEATURES"].lower().split())
        ),
        "ATEN_CPU_CAPABILITY": "AVX2",
    }
    assert seen(python, **same) == VARIABLES


CHANGING = """
import os
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_CORETYPE="Nehalem", OMP_THREAD_LIMIT="1")
os.environ.pop("NPY_DISABLE_CPU_FEATURES")
import numpy
import json
print(json.dumps([os.environ.get(name) for name in (
    "OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "OMP_THREAD_LIMIT")]))
"""


def test_what_a_program_changes_before_an_import_is_set_again_and_told(python: Path) -> None:
    done = run(python, "-c", CHANGING, env={**PORTABLE, "SEED_INIT_LOG": "info"})
    features = VARIABLES["NPY_DISABLE_CPU_FEATURES"]
    assert json.loads(done.stdout) == ["2", "Haswell", features, None]
    (line,) = [line for line in done.stderr.splitlines() if "before numpy is imported" in line]
    assert line == (
        "seed_init: the program has changed variables of DETERMINISM=portable, so that before "
        "numpy is imported OMP_NUM_THREADS is 2 again, OPENBLAS_CORETYPE is Haswell again, "
        f"NPY_DISABLE_CPU_FEATURES is {features} again, OMP_THREAD_LIMIT is unset; "
        "leave them to the hook"
    )


@pytest.mark.parametrize("value", ["0", "1025", "two"])
def test_no_other_number_of_threads_is_accepted(python: Path, value: str) -> None:
    done = run(python, "-c", "pass", env={**PORTABLE, "SEED_INIT_THREADS": value})
    assert done.returncode == 78
    assert done.stderr == (
        f"seed_init: SEED_INIT_THREADS='{value}' is not accepted; "
        "use a whole number from 1 to 1024 or leave it unset\n"
    )


def test_a_library_that_is_loaded_before_the_hook_is_too_late(python: Path) -> None:
    library = ctypes.util.find_library("gomp")
    if library is None:
        pytest.skip("this machine has no libgomp to load before Python")
    done = run(python, "-c", "print(1)", env={**PORTABLE, "LD_PRELOAD": library})
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr.startswith("seed_init: DETERMINISM=portable comes too late for libgomp")
    assert "set OMP_NUM_THREADS='2' before Python starts" in done.stderr

    ready = {"LD_PRELOAD": library, "OMP_NUM_THREADS": "2", "OMP_DYNAMIC": "FALSE"}
    assert output(python, "-c", "print(1)", env={**PORTABLE, **ready}) == "1"


# A child by `subprocess`, with what is changed in its environment.
CHILD = """
import os, subprocess, sys
print(subprocess.check_output([sys.executable, "-c", sys.argv[1]],
                              env={**os.environ, **eval(sys.argv[2])}, text=True))
"""


def child(python: Path, **changed: str) -> dict[str, str]:
    """What a child of a process under the level finds."""
    text = output(python, "-c", CHILD, SEEN, repr(changed), env=PORTABLE)
    return {name: value for name, value in json.loads(text).items() if value}


def test_a_child_has_them_and_one_of_another_level_has_none(python: Path) -> None:
    assert child(python) == VARIABLES
    assert child(python, DETERMINISM="warn") == {}


def test_what_the_program_sets_for_a_child_of_another_level_stays(python: Path) -> None:
    found = child(python, DETERMINISM="warn", OMP_NUM_THREADS="3")
    assert found == {"OMP_NUM_THREADS": "3"}


@pytest.mark.parametrize("value", ["0", "99999999"])
def test_no_number_of_threads_is_advised_that_is_not_accepted(python: Path, value: str) -> None:
    assert refused(python, OMP_NUM_THREADS=value).endswith("; use 2 or leave it unset")


def test_what_an_engine_changes_for_its_worker_is_set_again(python: Path) -> None:
    assert child(python, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1") == VARIABLES


def test_a_worker_of_joblib_has_the_threads_of_the_level(python: Path) -> None:
    """loky gives its workers the CPUs of the machine divided by their number."""
    code = """
import os
from joblib import Parallel, delayed
if __name__ == "__main__":
    print(*Parallel(n_jobs=2)(delayed(os.environ.get)("OMP_NUM_THREADS") for _ in range(2)))
"""
    default = {**PORTABLE, "DETERMINISM": "warn"}
    others = output(python, "-c", code, env=default, timeout=120)
    assert others != "2 2"
    assert output(python, "-c", code, env=PORTABLE, timeout=120) == "2 2"


def test_threads_that_outnumber_the_cpus_do_not_spin(python: Path) -> None:
    code = "import os; print(os.environ.get('OMP_WAIT_POLICY'))"
    cpus = len(os.sched_getaffinity(0))
    many, few = str(min(1024, cpus + 1)), "1"
    policy = {"SEED_INIT_THREADS": many}
    assert output(python, "-c", code, env={**PORTABLE, **policy}) == "PASSIVE"
    assert output(python, "-c", code, env={**PORTABLE, "SEED_INIT_THREADS": few}) == "None"
    chosen = {**policy, "OMP_WAIT_POLICY": "ACTIVE"}
    assert output(python, "-c", code, env={**PORTABLE, **chosen}) == "ACTIVE"


def test_status_shows_threads_and_variables(python: Path) -> None:
    state = json.loads(output(python, "-m", "seed_init", "status", "--json", env=PORTABLE))
    rows = {row["name"]: row for row in state["settings"]}
    assert rows["SEED_INIT_THREADS"] == {
        "name": "SEED_INIT_THREADS",
        "value": "2",
        "origin": "built-in",
    }
    assert {name: row["now"] for name, row in state["arithmetic"].items()} == VARIABLES


TORCH = """
import json, torch
from seed_init.libraries import torch_mkl
print(json.dumps({
    "threads": torch.get_num_threads(),
    "instructions": torch.backends.cpu.get_cpu_capability(),
    "branch": torch_mkl.branch(),
    "algorithms": torch.get_deterministic_debug_mode(),
}))
torch.set_num_threads(3)
import os
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE"
"""


@pytest.fixture(scope="module")
def with_torch(python: Path) -> Completed:
    """A program that imports torch and then changes the number of threads."""
    return run(python, "-c", TORCH, env={**PORTABLE, "SEED_INIT_LOG": "info"}, timeout=180)


@pytest.mark.torch
def test_torch_and_its_mkl_have_taken_them(with_torch: Completed) -> None:
    found: dict[str, Any] = json.loads(with_torch.stdout)
    avx2 = 10  # MKL_CBWR_AVX2 in mkl_service.h
    assert found == {"threads": 2, "instructions": "AVX2", "branch": avx2, "algorithms": 2}
    assert "seed_init: SEED=7 (environment), DETERMINISM=portable, 2 threads\n" in with_torch.stderr


@pytest.mark.torch
def test_threads_and_variables_that_the_program_has_changed_are_told_at_exit(
    with_torch: Completed,
) -> None:
    line = (
        "seed_init: at exit torch.get_num_threads() is 3, not 2 (SEED_INIT_THREADS); "
        "ONEDNN_MAX_CPU_ISA was AVX2 and is AVX512_CORE"
    )
    assert with_torch.stderr.splitlines()[-1] == line


@pytest.mark.torch
def test_a_cpu_on_which_mkl_does_not_take_the_branch_is_refused(python: Path) -> None:
    """Here MKL is asked for a branch after its first call, which it refuses."""
    code = """
import torch
from seed_init.hook.refusals import Refusal
from seed_init.libraries import torch_mkl, torch_portable
torch.ones(9, 9) @ torch.ones(9, 9)
torch_mkl.AVX2 = 5
try:
    torch_portable._check(torch_mkl.choose())
except Refusal as error:
    print(error)
"""
    told = output(python, "-c", code, env=PORTABLE, timeout=180)
    assert told.startswith(
        "DETERMINISM=portable cannot be kept: PyTorch's MKL does not take its AVX2 branch"
    )


@pytest.mark.torch
def test_a_torch_that_was_imported_before_the_hook_is_refused(python: Path) -> None:
    """The level is asked for in the program, when torch has chosen its threads already."""
    code = """
import os, torch
torch.set_num_threads(1)
os.environ["DETERMINISM"] = "portable"
import seed_init
seed_init.reseed(7)
print("user code ran")
"""
    done = run(python, "-S", "-c", code, env={"PYTHONPATH": _packages(python)}, timeout=180)
    assert (done.stdout, done.returncode) == ("", 78), done
    assert done.stderr.startswith("seed_init: DETERMINISM=portable cannot be kept: ")


def _packages(python: Path) -> str:
    code = "import sys; print(*[p for p in sys.path if p], sep=':')"
    return output(python, "-c", code, env={"SEED_INIT": "0"})
