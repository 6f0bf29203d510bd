"""`seed-init doctor`, its probe and the real torch on CUDA devices that compute nothing."""

import json
import subprocess
from pathlib import Path
from typing import Any

from harness.processes import run

from .running import NullCuda


def gpu(python: Path, **env: str | None) -> dict[str, Any]:
    """The finding of a real doctor; its exit status has to agree."""
    done = run(python, "-m", "seed_init", "doctor", "--json", env={"SEED": "7", **env})
    answer = json.loads(done.stdout)
    assert done.returncode == (0 if answer["ok"] else 1) and not done.stderr
    (found,) = (each for each in answer["findings"] if each["check"] == "gpu")
    return found


def test_devices_are_listed_although_dev_shows_none(python: Path, null_cuda: NullCuda) -> None:
    found = gpu(python, **null_cuda.env(devices=2, capability=90, name="Null"))
    assert found["result"] == "ok"
    assert found["detail"] == "0: Null (capability 9.0), 1: Null (capability 9.0)"


def test_a_device_that_the_build_has_no_code_for_is_named_with_the_builds_list(
    python: Path, null_cuda: NullCuda
) -> None:
    found = gpu(python, **null_cuda.env(devices=1, capability=35, name="Old"))
    assert found["result"] == "FAIL"
    assert found["detail"].startswith("0: Old (capability 3.5): this torch (")
    assert "sm_90" in found["detail"] and "an older CUDA" in found["detail"]


def test_a_driver_that_is_too_old_is_named_with_both_versions(
    python: Path, null_cuda: NullCuda, tmp_path: Path
) -> None:
    """A runtime on a driver for CUDA 10.2 answers so (cudaErrorInsufficientDriver is 35)."""
    compiled(tmp_path, "libcuda.so.1", version("cuDriverGetVersion"))
    code = version("cudaDriverGetVersion") + (
        "int cudaGetDeviceCount(int *count) { *count = 0; return 35; }"
    )
    env = before(null_cuda, compiled(tmp_path, "old.so", code))
    found = gpu(python, **{**env, "LD_LIBRARY_PATH": f"{tmp_path}:{env['LD_LIBRARY_PATH']}"})
    assert found["result"] == "FAIL"
    said = "the driver is too old: it is for CUDA 10.2, this torch for CUDA 1"
    assert said in found["detail"] and "or newer" in found["detail"]


def test_a_driver_that_crashes_is_a_finding(
    python: Path, null_cuda: NullCuda, tmp_path: Path
) -> None:
    code = "int cudaGetDeviceCount(int *count) { *(volatile int *)0 = 1; return 0; }"
    found = gpu(python, **before(null_cuda, compiled(tmp_path, "crash.so", code)))
    assert found["result"] == "FAIL"
    assert "killed by SIGSEGV, while the driver started" in found["detail"]


def version(function: str) -> str:
    """A function, in C, that says that the driver is one for CUDA 10.2."""
    return f"int {function}(int *version) {{ *version = 10020; return 0; }}\n"


def compiled(place: Path, name: str, code: str) -> Path:
    """A shared library."""
    library = place / name
    command = ["gcc", "-shared", "-fPIC", "-w", "-x", "c", "-o", str(library), "-"]
    subprocess.run(command, input=code, text=True, check=True)
    return library


def before(null_cuda: NullCuda, library: Path) -> dict[str, str]:
    """The null runtime with one device, some of whose functions are those of a library."""
    env = null_cuda.env(devices=1)
    return {**env, "LD_PRELOAD": f"{library}:{env['LD_PRELOAD']}"}
