# SPDX-License-Identifier: Apache-2.0
"""Apply CUDA's rules: which code runs on which device, and which driver a build needs."""

import re
from collections.abc import Sequence

Capability = tuple[int, int]

ON_CHIP = {(3, 2), (5, 3), (6, 2), (7, 2), (8, 7), (10, 1), (11, 0)}
"""Capabilities of NVIDIA's systems on a chip (Tegra). NVIDIA does not promise that their binaries
run on other devices of the same major number, nor the reverse (CUDA C++ Programming Guide, "Binary
Compatibility": https://docs.nvidia.com/cuda/cuda-c-programming-guide/#binary-compatibility)."""

LEAST_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""Major version of CUDA -> the oldest driver that runs any program built for it (CUDA's release
notes, "CUDA Minor Version Compatibility", and
https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html)."""

OWN_DRIVER = {"11.8": "520.61.05"}
"""Version of CUDA in this project's image -> the driver that was released with that version."""

ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


def runs(capability: Capability, archs: Sequence[str]) -> bool | None:
    """Return whether a build has code for a device.

    A binary (sm_XY) runs on devices of the same major number and of the same or a higher minor
    number. Intermediate code (compute_XY) is compiled by the driver for any device of at least that
    capability. With an `a` behind it, either is for that very capability; with an `f`, for its
    family, which is the rule of binaries (nvcc's manual, "GPU Feature List").

    Args:
        capability: the compute capability of the device.
        archs: the architectures that torch.cuda.get_arch_list() returns.

    Returns:
        True or False; None if only a trial can tell: for an empty list, or a system on a chip.
    """
    parsed = [match for match in map(ARCHITECTURE.fullmatch, archs) if match]
    if not parsed:
        return None
    for arch in parsed:
        built = int(arch[2]), int(arch[3])
        if built == capability:
            return True
        if arch[4] == "a":
            continue
        if arch[1] == "compute" and not arch[4]:
            fits = capability > built
        else:
            apart = bool({built, capability} & ON_CHIP)
            fits = built[0] == capability[0] and built[1] < capability[1] and not apart
        if fits:
            return True
    return None if capability in ON_CHIP else False


def older_than_all(capability: Capability, archs: Sequence[str]) -> bool:
    """Return whether a device is older than every device that a build has code for."""
    built = [(int(m[2]), int(m[3])) for m in map(ARCHITECTURE.fullmatch, archs) if m]
    return bool(built) and capability < min(built)


def cuda_of(driver: int) -> str:
    """Return the version of CUDA in a driver's number: 11080 is "11.8"."""
    return f"{driver // 1000}.{driver % 1000 // 10}"


def too_old(driver: int, cuda: str) -> bool:
    """Return whether a driver is for an older major version of CUDA than a build.

    Args:
        driver: the number that cuDriverGetVersion returns; 0 if it is not known.
        cuda: the version of CUDA of the build, such as "11.8".
    """
    return 0 < driver < 1000 * int(cuda.partition(".")[0])


def wanted_driver(cuda: str) -> str:
    """Return in words which driver a build needs."""
    least = LEAST_DRIVER.get(int(cuda.partition(".")[0]))
    own = OWN_DRIVER.get(cuda)
    parts = [f"{least} or newer" if least else f"one for CUDA {cuda}"]
    if own and own != least:
        parts.append(f"best {own} or newer, which came with CUDA {cuda}")
    return "; ".join(parts)
