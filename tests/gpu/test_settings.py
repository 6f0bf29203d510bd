"""On a GPU: cuBLAS, the flags of a level, the doctor, CuPy, and the proof of a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import output, run

from .differences import CUBLAS_CHECKED
from .running import ON_GPU, PROGRAMS, facts, gpu, on_machine, release, run_program, told

pytestmark = ON_GPU


def products(python: Path, code: str = "", **env: str | None) -> Any:
    return told(python, "products", "cuda", code, **env)


class TestCublas:
    @pytest.mark.parametrize("level", ["warn", "strict"])
    def test_multiplies_alike_in_two_runs(self, python: Path, level: str) -> None:
        one = products(python, DETERMINISM=level)
        assert one["error"] is None and one["workspace"] == ":4096:8"
        assert products(python, DETERMINISM=level) == one

    def test_without_the_hooks_variable_a_release_that_checks_raises(self, python: Path) -> None:
        """Otherwise the test above would prove nothing about the variable."""
        code = "os.environ.pop('CUBLAS_WORKSPACE_CONFIG')"
        error = products(python, code, DETERMINISM="strict")["error"]
        if CUBLAS_CHECKED.holds(release()):
            assert error is not None and "CUBLAS_WORKSPACE_CONFIG=:4096:8" in error
        else:
            assert error is None, f"{CUBLAS_CHECKED.source} dropped the check; {gpu()}"

    def test_takes_the_users_own_workspace(self, python: Path) -> None:
        one = products(python, DETERMINISM="strict", CUBLAS_WORKSPACE_CONFIG=":16:8")
        assert one["error"] is None and one["workspace"] == ":16:8"


@pytest.mark.parametrize(
    ("level", "algorithms", "cudnn", "fill", "workspace"),
    [
        ("off", 0, [False, False], True, None),
        ("fast", 0, [False, True], True, None),
        ("warn", 1, [True, False], False, ":4096:8"),
        ("strict", 2, [True, False], False, ":4096:8"),
    ],
)
def test_a_level_holds_in_a_process_that_has_used_cuda(
    python: Path,
    level: str,
    algorithms: int,
    cudnn: list[bool],
    fill: bool,
    workspace: str | None,
) -> None:
    found = products(python, DETERMINISM=level)
    assert found["error"] is None and found["algorithms"] == algorithms
    assert (found["cudnn"], found["fill"], found["workspace"]) == (cudnn, fill, workspace)


def test_the_doctor_multiplies_on_each_device_and_names_it(python: Path) -> None:
    environment = on_machine(python, {"SEED": "7"})
    done = run(python, "-m", "seed_init", "doctor", "--json", env=environment)
    (found,) = (one for one in json.loads(done.stdout)["findings"] if one["check"] == "gpu")
    assert found["result"] == "ok"
    for index, name in enumerate(facts()["devices"]):
        assert f"{index}: {name} (capability " in found["detail"]


class TestCuPy:
    CODE = """
import cupy, json
def draw(device):
    with cupy.cuda.Device(device):
        return cupy.random.rand(4).tolist()
print(json.dumps([draw(each) for each in range(cupy.cuda.runtime.getDeviceCount())]))
"""

    @pytest.fixture(autouse=True)
    def installed(self, python: Path) -> None:
        done = run_program(python, "has", "cupy")
        if done.returncode:
            pytest.skip(f"CuPy cannot be imported: {done.stderr.strip().splitlines()[-1]}")

    def drawn(self, python: Path, code: str = "", **env: str) -> Any:
        environment = on_machine(python, {"SEED": "7", "SEED_INIT_LOG": "quiet", **env})
        return json.loads(output(python, "-c", code + self.CODE, env=environment))

    def test_every_device_draws_what_it_draws_under_explicit_seeding(
        self, python: Path, bare: Path
    ) -> None:
        assert self.drawn(python) == self.drawn(bare, "import os; os.environ['CUPY_SEED'] = '7'")

    def test_without_the_hook_it_differs_from_run_to_run(self, bare: Path) -> None:
        assert self.drawn(bare) != self.drawn(bare)


class TestTheProof:
    def test_a_trace_changes_nothing_and_has_every_step(self, python: Path, tmp_path: Path) -> None:
        traced = told(python, "train", "cuda", SEED_INIT_TRACE=str(tmp_path / "trace"))
        assert traced == told(python, "train", "cuda")
        text = "".join(
            each.read_text() for each in (tmp_path / "trace").iterdir() if each.is_file()
        )
        assert text.count('"step"') >= 5

    def test_verify_finds_a_cuda_training_identical(self, python: Path, tmp_path: Path) -> None:
        env = on_machine(python, {"SEED": "7", "TMPDIR": str(tmp_path)})
        command = (python, PROGRAMS / "train.py", "cuda")
        done = run(
            *(python, "-m", "seed_init", "verify", "--", *command),
            env=env,
            cwd=tmp_path,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_verify_finds_a_varying_one_not_identical(self, python: Path, tmp_path: Path) -> None:
        script = tmp_path / "unequal.py"
        script.write_text("import os; print(os.urandom(4).hex())\n")
        env = on_machine(python, {"SEED": "7", "TMPDIR": str(tmp_path)})
        done = run(
            *(python, "-m", "seed_init", "verify", "--", python, script), env=env, cwd=tmp_path
        )
        assert done.returncode == 1, done.stdout + done.stderr
