# SPDX-License-Identifier: Apache-2.0
"""Find out why torch can use no device: the first obstacle on a GPU's way to torch is the cause.

The directories of the system are looked at below a root, so that a test can show other machines.
"""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seed_init.cli.gpu import capabilities
from seed_init.cli.gpu.asking import Answer

NVIDIA, AMD = "0x10de", "0x1002"
"""The numbers of two vendors on the PCI bus (https://pci-ids.ucw.cz)."""

ROOT = Path("/")

HIDING = {
    "cuda": ("CUDA_VISIBLE_DEVICES",),
    "hip": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "xpu": ("ZE_AFFINITY_MASK", "ONEAPI_DEVICE_SELECTOR"),
}
"""Kind of a build -> the variables that choose among the devices."""

KNOWN = (
    (
        r"system not yet initialized|\b802\b",
        "start nvidia-fabricmanager on the host: devices behind an NVSwitch wait for it",
    ),
    (
        r"unsupported display driver|\b803\b",
        "the driver in the kernel and libcuda.so.1 are of different versions: restart the "
        "container or, after an update of the driver, the machine",
    ),
    (
        r"forward compatibility was attempted|\b804\b",
        "libcuda.so.1 comes from CUDA's compatibility package, which this device cannot use: take "
        "its folder (compat) out of LD_LIBRARY_PATH",
    ),
    (r"no CUDA-capable device", "see nvidia-smi"),
)
"""A pattern of CUDA's message -> what to do. The numbers are those of cudaError_t."""


def of(answer: Answer, environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> str:
    """Return why torch can use no device, and what to do, in one line.

    Args:
        answer: the answer of the probe, whose `kind` is None.
        environment: the environment of this process.
        root: the root of the file system.
    """
    build = answer.build or {}
    if build.get("hip"):
        return _amd(answer, environment, root)
    if build.get("xpu"):
        return _intel(answer, environment, root)
    if sys.platform == "darwin":
        return _apple(answer)
    return _nvidia(answer, environment, root)


def _nvidia(answer: Answer, environment: Mapping[str, str], root: Path) -> str:
    build = answer.build or {}
    cuda = build.get("cuda")
    if cuda and capabilities.too_old(answer.driver, cuda):
        return driver_too_old(answer.driver, cuda)
    windows = (root / "dev/dxg").exists()
    driver = (root / "proc/driver/nvidia/version").exists() or windows
    if not (windows or any((root / "dev").glob("nvidia[0-9]*"))):
        if driver:
            return (
                "the host has a GPU and its driver, but this container was started without the "
                "NVIDIA runtime; install the NVIDIA Container Toolkit and add "
                "-f docker-compose.yml -f docker-compose.gpu.yml after docker compose, or "
                "--gpus all after docker run"
            )
        if _displays(root, NVIDIA):
            return "the machine has an NVIDIA GPU but no driver is loaded; install it on the host"
        if build and ((root / "dev/kfd").exists() or _displays(root, AMD)):
            return (
                f"the GPU here is AMD's; {_named(answer)} has no code for it: install one for ROCm"
            )
        if not answer.library:
            return "no device: this machine has no NVIDIA GPU; everything runs on the CPU"
    if not answer.library:
        return (
            "no driver library (libcuda.so.1) here: start the container with the NVIDIA runtime "
            "and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        )
    if answer.build is None:
        return f"torch cannot be imported: {answer.error}"
    if cuda is None:
        return f"torch {build['version']} was built without CUDA; install a CUDA build"
    return _hidden("cuda", environment) or _not_started(answer, root)


def _not_started(answer: Answer, root: Path) -> str:
    """Return why CUDA does not start although device, driver library and torch are there."""
    error = answer.error
    if error is None:
        return "CUDA starts but shows no device; see nvidia-smi"
    listed = any((root / "dev").glob("nvidia[0-9]*"))
    if listed and not (root / "dev/nvidia-uvm").exists():
        return (
            f"CUDA does not start: {error}; /dev/nvidia-uvm is missing: run nvidia-modprobe -u on "
            "the host and start the container again"
        )
    return f"CUDA does not start: {error}{_known(error)}"


def _known(error: str) -> str:
    return next((f"; {advice}" for pattern, advice in KNOWN if re.search(pattern, error)), "")


def driver_too_old(driver: int, cuda: str) -> str:
    """Return the two versions, and what to install."""
    return (
        f"the driver is too old: it is for CUDA {capabilities.cuda_of(driver)}, this torch for "
        f"CUDA {cuda}; install a driver on the host ({capabilities.wanted_driver(cuda)}), or a "
        f"torch built for CUDA {capabilities.cuda_of(driver)} or older"
    )


def _amd(answer: Answer, environment: Mapping[str, str], root: Path) -> str:
    """Return the first obstacle of ROCm: kernel driver, device files, their groups, variables.

    https://rocm.docs.amd.com/projects/install-on-linux/en/latest/how-to/docker.html
    """
    kfd, dxg = root / "dev/kfd", root / "dev/dxg"
    if dxg.exists() and not kfd.exists():
        return _hidden("hip", environment) or _words(answer, "ROCm", "see rocminfo")
    if not kfd.exists():
        if _displays(root, AMD) or (root / "sys/module/amdgpu").exists():
            return (
                "the host has an AMD GPU, but /dev/kfd is not here: load amdgpu on the host and "
                "start the container with --device=/dev/kfd --device=/dev/dri"
            )
        return f"no device: this machine has no AMD GPU, and {_named(answer)} has code for no other"
    return (
        _closed([kfd, *_renderers(root)], "--device=/dev/kfd --device=/dev/dri")
        or _hidden("hip", environment)
        or _words(answer, "ROCm", "see rocminfo")
    )


def _intel(answer: Answer, environment: Mapping[str, str], root: Path) -> str:
    """Return the first obstacle of an Intel GPU: render node, group, variables, Level Zero."""
    renderers = _renderers(root)
    if not renderers and not (root / "dev/dxg").exists():
        return (
            f"no device: /dev/dri has no render node, and {_named(answer)} has code for Intel's "
            "GPUs only; in a container, start it with --device=/dev/dri"
        )
    return (
        _closed(renderers, "--device=/dev/dri")
        or _hidden("xpu", environment)
        or _words(
            answer, "XPU", "see sycl-ls; it needs Intel's Level Zero driver (libze_intel_gpu)"
        )
    )


def _apple(answer: Answer) -> str:
    if answer.build is None:
        return f"torch cannot be imported: {answer.error}"
    if platform.machine() != "arm64":
        return "no device: torch uses the GPU of Macs with Apple's own chips only"
    if not answer.build["mps"]:
        return f"{_named(answer)} was built without MPS; install the build for arm64 from PyPI"
    return f"MPS does not start on macOS {platform.mac_ver()[0]}; this torch may need a newer one"


def _words(answer: Answer, name: str, advice: str) -> str:
    if answer.error:
        return f"{name} does not start: {answer.error}; {advice}"
    return f"{name} starts but shows no device; {advice}"


def _named(answer: Answer) -> str:
    build = answer.build or {}
    kinds = (("cuda", "CUDA"), ("hip", "ROCm"), ("xpu", "XPU"))
    built_for = [f"{name} {build[key]}" for key, name in kinds if build.get(key)]
    return f"torch {build.get('version')} (built for {built_for[0] if built_for else 'the CPU'})"


def _hidden(kind: str, environment: Mapping[str, str]) -> str | None:
    """Return a variable that hides every device, or names a device that is not there."""
    for name in HIDING[kind]:
        value = environment.get(name)
        if value is None:
            continue
        if value.strip() in ("", "-1"):
            return f"{name} hides every device; unset it"
        if not (kind == "xpu" and ":" in value):
            return (
                f"{name}={value} names no device that is there"
                f"{' (or a device twice)' if ',' in value else ''}; unset it, or take its numbers "
                f"from {'nvidia-smi -L' if kind == 'cuda' else 'the list of devices'}"
            )
    return None


def _closed(files: Sequence[Path], options: str) -> str | None:
    """Return the first device file that this user may not open, or that no render node is there."""
    for file in files:
        if not os.access(file, os.R_OK | os.W_OK):
            group = file.stat().st_gid
            name = file.name if file.name == "kfd" else f"dri/{file.name}"
            return (
                f"this user may not open /dev/{name}: join its group, which is video or render on "
                f"most hosts (in a container: --group-add {group})"
            )
    if not any(file.name.startswith("renderD") for file in files):
        return f"/dev/dri has no render node; start the container with {options}"
    return None


def _renderers(root: Path) -> list[Path]:
    return sorted((root / "dev/dri").glob("renderD*"))


def _displays(root: Path, vendor: str) -> bool:
    """Return whether the PCI bus shows a display controller or accelerator of a vendor.

    Class 03xxxx is a display controller, 12xxxx a processing accelerator, which AMD's are.
    """
    for device in (root / "sys/bus/pci/devices").glob("*"):
        try:
            made_by = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        if made_by == vendor and kind.startswith(("0x03", "0x12")):
            return True
    return False
