"""What the doctor makes of the answers of torch and of machines that it is told of."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seed_init.cli import doctor
from seed_init.cli.gpu import asking, capabilities, causes, judging
from seed_init.cli.gpu.asking import Answer, Device

BUILD = {"version": "2.6.0+cu118", "cuda": "11.8", "hip": None, "xpu": None, "mps": False}
ARCHS = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_37", "sm_90")
"""Of torch 2.6.0 for CUDA 11.8."""
H200 = Device(0, "NVIDIA H200", (9, 0), None, None)
WORKS = Answer(True, 12040, BUILD, None, "cuda", 1, ARCHS, (H200,))
NONE = Answer(build=BUILD)


class TestAsking:
    def test_a_driver_that_hangs_is_given_up_after_the_limit(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = tmp_path / "hangs.py"
        program.write_text(
            "import json, time\n"
            "print(json.dumps({'what': 'driver', 'library': True, 'version': 12040}), flush=True)\n"
            "print(json.dumps({'what': 'torch', 'version': '2.6.0'}), flush=True)\n"
            "time.sleep(60)\n"
        )
        monkeypatch.setattr(asking, "PROBE", program)
        start = time.monotonic()
        answer = asking.ask(limit=1)
        assert time.monotonic() - start < 30
        assert (answer.driver, answer.kind) == (12040, None)
        usable, detail, _ = judging.judge(answer, {})
        assert not usable and "no answer within 1 s, while the driver started" in detail

    def test_a_library_that_does_not_end_its_line_hides_no_answer(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "torch.py").write_text(
            "print('loading ...', end='')\nraise ImportError('libcudart.so.11.0 is missing')\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        assert asking.ask().error == "libcudart.so.11.0 is missing"

    def test_pytorchs_words_tell_the_version_where_the_driver_does_not(self) -> None:
        error = "The NVIDIA driver on your system is too old (found version 11040). Please update"
        lines = [{"what": "torch", **BUILD}, {"what": "none", "error": error}]
        assert asking.understood("\n".join(map(json.dumps, lines)), None).driver == 11040

    def test_a_crash_in_a_product_leaves_the_devices_before_it(self) -> None:
        lines = [
            {"what": "driver", "library": True, "version": 12040},
            {"what": "torch", **BUILD},
            {"what": "usable", "kind": "cuda", "count": 3, "archs": list(ARCHS)},
            *({"what": "device", "index": 0, **told(H200)}, tried(0)),
            {"what": "device", "index": 1, **told(H200)},
        ]
        text = "\n".join(["a library's own word", *map(json.dumps, lines)])
        _, detail, _ = judging.judge(
            asking.understood(text, "the process was killed by SIGBUS"), {}
        )
        assert "1: NVIDIA H200 (capability 9.0): a product on it ends with: the process" in detail
        assert "1 more not tried" in detail and "0: NVIDIA H200 (capability 9.0): ok" in detail


def told(device: Device) -> dict[str, Any]:
    return {"name": device.name, "capability": device.capability, "architecture": None}


def tried(index: int) -> dict[str, Any]:
    return {"what": "tried", "index": index, "error": None}


@pytest.mark.parametrize(
    ("capability", "archs", "runs"),
    [
        pytest.param((9, 0), ["sm_80", "sm_90"], True, id="exactly"),
        pytest.param((8, 9), ["sm_80", "sm_86", "sm_90"], True, id="a lower minor number"),
        pytest.param((8, 0), ["sm_86", "sm_90"], False, id="no higher minor number"),
        pytest.param((12, 0), ["sm_80", "sm_90"], False, id="no other major number"),
        pytest.param((12, 0), ["sm_90", "compute_90"], True, id="the driver compiles"),
        pytest.param((3, 5), ["sm_50", "compute_50"], False, id="not for an older device"),
        pytest.param((9, 0), ["sm_90a"], True, id="for this very capability"),
        pytest.param((10, 3), ["sm_100a"], False, id="for another very capability"),
        pytest.param((12, 0), ["compute_90a"], False, id="intermediate code for one capability"),
        pytest.param((10, 3), ["sm_100f"], True, id="for the family"),
        pytest.param((8, 7), ["sm_80"], None, id="a system on a chip"),
        pytest.param((8, 7), ["sm_87"], True, id="built for that system"),
        pytest.param((8, 9), ["sm_87"], False, id="code of a system on a chip"),
        pytest.param((9, 0), [], None, id="unknown"),
    ],
)
def test_code_runs_where_cuda_promises_it(
    capability: tuple[int, int], archs: list[str], runs: bool | None
) -> None:
    assert capabilities.runs(capability, archs) is runs


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "compute mode"),
        ("CUDA out of memory. Tried to allocate 20.00 MiB", "its memory is taken"),
        ("CUDA error: no kernel image is available for execution", "has no code for it"),
        (
            "CUDA error: the provided PTX was compiled with an unsupported toolchain.",
            "newer driver",
        ),
        ("CUDA error: unspecified launch failure", "dmesg"),
    ],
)
def test_what_a_product_ends_with_is_explained_in_one_line(error: str, says: str) -> None:
    answer = replace(WORKS, devices=(replace(H200, error=error),))
    usable, detail, _ = judging.judge(answer, {})
    assert not usable and says in detail and "\n" not in detail


@pytest.mark.parametrize(
    ("error", "results"),
    [
        ("libcudart.so.11.0 is missing", [doctor.NOTE, doctor.FAIL]),
        ("No module named 'torch'", [doctor.NOTE]),
    ],
)
def test_outside_an_image_a_broken_torch_is_a_failure_and_none_is_not(
    error: str, results: list[str]
) -> None:
    found = doctor.check_versions(None, Answer(error=error))
    assert [each.result for each in found] == results
    assert len(found) == 1 or error in found[1].detail


def test_visible_devices_that_are_not_there_are_worth_a_note() -> None:
    usable, detail, note = judging.judge(WORKS, {"CUDA_VISIBLE_DEVICES": "0,9"})
    assert usable and note and detail.endswith("torch sees 1: 9 is not there")
    assert judging.judge(WORKS, {"CUDA_VISIBLE_DEVICES": "0,-1"})[2] is False


@pytest.mark.parametrize(
    ("build", "kind", "device", "shown"),
    [
        ({"hip": "6.2"}, "cuda", Device(0, "MI300X", None, "gfx942:xnack-", None), "gfx942"),
        ({"xpu": "20240"}, "xpu", Device(0, "Max 1550", None, None, None), "0: Max 1550"),
        ({"mps": True}, "mps", Device(0, "GPU", None, None, None), "0: GPU"),
    ],
)
def test_other_makers_devices_are_no_failure(
    build: dict[str, Any], kind: str, device: Device, shown: str
) -> None:
    archs = ("gfx90a", "gfx942") if "hip" in build else ()
    other = {**BUILD, "cuda": None, **build}
    answer = Answer(build=other, kind=kind, count=1, archs=archs, devices=(device,))
    usable, detail, _ = judging.judge(answer, {})
    assert usable and shown in detail


def test_a_rocm_build_without_code_for_a_device_names_its_list() -> None:
    device = Device(0, "Radeon", None, "gfx1036", None)
    build = {**BUILD, "cuda": None, "hip": "6.2"}
    answer = Answer(build=build, kind="cuda", count=1, archs=("gfx942",), devices=(device,))
    usable, detail, _ = judging.judge(answer, {})
    assert not usable and "ROCm 6.2) has no code for it, only for gfx942" in detail


ROCM = {**BUILD, "cuda": None, "hip": "6.2"}
XPU = {**BUILD, "cuda": None, "xpu": "20240"}
TOO_OLD = replace(NONE, library=True, driver=10020)
UNKNOWN = replace(NONE, library=True, error="CUDA unknown error")
NOT_READY = replace(NONE, library=True, error="Error 802: system not yet initialized")
NO_TORCH = Answer(library=True, error="libcurand.so.10: no such file")


@pytest.mark.parametrize(
    ("answer", "files", "environment", "says"),
    [
        (NONE, [], {}, "this machine has no NVIDIA GPU"),
        (NONE, ["pci 0x10de 0x030200"], {}, "no driver is loaded"),
        (NONE, ["proc/driver/nvidia/version"], {}, "without the NVIDIA runtime"),
        (NONE, ["dev/nvidia0"], {}, "no driver library (libcuda.so.1)"),
        (NO_TORCH, ["dev/nvidia0"], {}, "torch cannot be imported: libcurand"),
        (TOO_OLD, [], {}, "for CUDA 10.2, this torch for CUDA 11.8; install a driver on the host"),
        (TOO_OLD, [], {}, "450.80.02 or newer; best 520.61.05"),
        (UNKNOWN, ["dev/nvidia0"], {}, "/dev/nvidia-uvm is missing"),
        (UNKNOWN, [], {}, "CUDA does not start: CUDA unknown error"),
        (NOT_READY, ["dev/nvidia0", "dev/nvidia-uvm"], {}, "nvidia-fabricmanager"),
        (UNKNOWN, ["dev/dxg"], {"CUDA_VISIBLE_DEVICES": ""}, "hides every device"),
        (UNKNOWN, ["dev/nvidia0"], {"CUDA_VISIBLE_DEVICES": "9"}, "=9 names no device"),
        (replace(NONE, library=True), ["dev/nvidia0"], {}, "shows no device"),
        (NONE, ["dev/kfd"], {}, "the GPU here is AMD's"),
        (replace(NONE, build=ROCM), [], {}, "no AMD GPU"),
        (replace(NONE, build=ROCM), ["pci 0x1002 0x120000"], {}, "--device=/dev/kfd"),
        (replace(NONE, build=ROCM), ["dev/kfd"], {}, "no render node"),
        (
            replace(NONE, build=ROCM),
            ["dev/kfd", "dev/dri/renderD128"],
            {"HIP_VISIBLE_DEVICES": "-1"},
            "HIP_VISIBLE_DEVICES hides every device",
        ),
        (replace(NONE, build=ROCM), ["dev/kfd", "dev/dri/renderD128"], {}, "rocminfo"),
        (replace(NONE, build=XPU), [], {}, "no render node"),
        (replace(NONE, build=XPU), ["dev/dri/renderD128"], {}, "Level Zero"),
    ],
)
def test_the_first_thing_in_the_way_is_named(
    tmp_path: Path, answer: Answer, files: list[str], environment: dict[str, str], says: str
) -> None:
    machine(tmp_path, files)
    assert says in causes.of(answer, environment, tmp_path)


def test_a_device_file_that_this_user_may_not_open_is_named_with_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, ["dev/kfd", "dev/dri/renderD128"])
    # Root may open everything: the answer of the system is given here.
    monkeypatch.setattr(causes.os, "access", lambda file, _: "render" not in str(file))
    said = causes.of(replace(NONE, build=ROCM), {}, tmp_path)
    assert "may not open /dev/dri/renderD128" in said
    assert f"--group-add {(tmp_path / 'dev/kfd').stat().st_gid}" in said


def machine(root: Path, files: list[str]) -> None:
    """A directory that looks like the root of a machine."""
    for file in files:
        if file.startswith("pci "):
            _, vendor, kind = file.split()
            device = root / "sys/bus/pci/devices/0000:01:00.0"
            device.mkdir(parents=True)
            (device / "vendor").write_text(f"{vendor}\n")
            (device / "class").write_text(f"{kind}\n")
        else:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).touch()
