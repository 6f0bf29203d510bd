# SPDX-License-Identifier: Apache-2.0
"""Say in one line what the answer of the probe means."""

import os
import re
from collections.abc import Mapping

from seed_init.cli.gpu import capabilities, causes
from seed_init.cli.gpu.asking import Answer, Device

KNOWN = (
    (
        r"busy or unavailable",
        "another process has it for itself, or its compute mode prohibits any: see nvidia-smi; "
        "nvidia-smi -c DEFAULT on the host opens it",
    ),
    (r"out of memory", "its memory is taken: nvidia-smi names the processes that have it"),
    (
        r"unsupported toolchain|unsupported PTX",
        "its code has to be compiled by the driver, which is older than the CUDA of this torch: "
        "install a newer driver on the host",
    ),
    (
        r"ECC|Xid|fell off|unspecified launch failure",
        "the device or its driver is broken: see dmesg on the host, then restart it",
    ),
)
"""A pattern of a product's error -> what the error means and what to do."""

NO_CODE = re.compile(r"no kernel image|invalid device function|not compatible")


def judge(answer: Answer, environment: Mapping[str, str] = os.environ) -> tuple[bool, str, bool]:
    """Say which devices there are, or why there are none.

    Args:
        answer: the answer of the probe.
        environment: the environment of this process.

    Returns:
        Whether torch can use every device that it sees; the devices, or the obstacle; and whether
        the user should look at something although nothing is broken.
    """
    if answer.kind is None:
        if answer.broken:
            return False, f"{answer.broken}; see nvidia-smi and dmesg on the host", False
        return False, causes.of(answer, environment), False
    good = [name(device) for device in answer.devices if trouble(device, answer) is None]
    bad: dict[str, list[str]] = {}
    for device in answer.devices:
        text = trouble(device, answer)
        if text:
            bad.setdefault(text, []).append(name(device))
    untried = answer.count - len(answer.devices)
    if bad or answer.broken or untried:
        parts = [f"{', '.join(names)}: {text}" for text, names in bad.items()]
        if answer.broken and not bad:
            parts.append(answer.broken)
        if untried:
            parts.append(f"{untried} more not tried")
        return False, "; ".join([*parts, *(f"{device}: ok" for device in good)]), False
    missing = _unseen(answer, environment)
    return True, "; ".join([", ".join(good), *missing]), bool(missing)


def name(device: Device) -> str:
    """Return number and name of a device, and what CUDA or ROCm calls this kind of device."""
    if device.architecture:
        return f"{device.index}: {device.name} ({device.architecture.partition(':')[0]})"
    if device.capability:
        return f"{device.index}: {device.name} (capability {'.'.join(map(str, device.capability))})"
    return f"{device.index}: {device.name}"


def trouble(device: Device, answer: Answer) -> str | None:
    """Return why a device cannot be used, and what to do; None if it can be used."""
    if _no_code(device, answer):
        return no_code(device, answer)
    if device.error is None:
        return None
    known = next((advice for pattern, advice in KNOWN if re.search(pattern, device.error)), None)
    return f"a product on it ends with: {device.error}" + (f"; {known}" if known else "")


def _no_code(device: Device, answer: Answer) -> bool:
    if device.error and NO_CODE.search(device.error):
        return True
    if device.architecture:
        # ROCm has code for exactly one architecture, or for a family (gfx11-generic). Whether a
        # device belongs to a family, only a trial tells.
        own = device.architecture.partition(":")[0]
        plain = {arch.partition(":")[0] for arch in answer.archs}
        return bool(plain) and own not in plain and not any("generic" in arch for arch in plain)
    if device.capability is None:
        return False
    return capabilities.runs(device.capability, answer.archs) is False


def no_code(device: Device, answer: Answer) -> str:
    """Say that a build has no code for a device, for which devices it has code, and what to do."""
    build = answer.build or {}
    platform = f"ROCm {build['hip']}" if device.architecture else f"CUDA {build.get('cuda')}"
    age = ""
    if device.capability:
        older = capabilities.older_than_all(device.capability, answer.archs)
        age = f", such as {'an older' if older else 'a newer'} release"
        age += f" or one for {'an older' if older else 'a newer'} CUDA"
    return (
        f"this torch ({build.get('version')}, {platform}) has no code for it, only for "
        f"{' '.join(answer.archs) or 'others'}; install a torch that has{age} (in this project's "
        "image: build it on another base, BASE_IMAGE=…)"
    )


def _unseen(answer: Answer, environment: Mapping[str, str]) -> list[str]:
    """Say if CUDA_VISIBLE_DEVICES names more devices than torch sees.

    CUDA takes the list up to the first name that it does not know (CUDA C++ Programming Guide,
    "CUDA Environment Variables"); -1 ends it on purpose.
    """
    value = environment.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in value.split(",")]
    wanted = names[: names.index("-1")] if "-1" in names else names
    if answer.kind != "cuda" or not value or len(wanted) <= answer.count:
        return []
    return [
        f"CUDA_VISIBLE_DEVICES={value} names {len(wanted)} devices, but torch sees {answer.count}: "
        f"{wanted[answer.count]} is not there"
    ]
