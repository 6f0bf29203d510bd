# SPDX-License-Identifier: Apache-2.0
"""Run the probe in a process of its own, and take what it printed for an answer."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe.py")

LIMIT = 120.0
"""Seconds for the whole answer. Eight devices whose driver is not loaded persistently take tens."""


@dataclass(frozen=True)
class Device:
    """A device that torch sees.

    Attributes:
        index: of torch.
        name: of the device.
        capability: of an NVIDIA device.
        architecture: of an AMD device, such as "gfx90a:sramecc+:xnack-".
        error: what a product on it ended with; None where that was well.
    """

    index: int
    name: str
    capability: tuple[int, int] | None
    architecture: str | None
    error: str | None


@dataclass(frozen=True)
class Answer:
    """What torch says of its devices.

    Attributes:
        library: whether libcuda.so.1 can be loaded.
        driver: the CUDA version of NVIDIA's driver, 1000 * major + 10 * minor; 0 where unknown.
        build: version, cuda, hip, xpu, mps and cudnn of torch; None where it cannot be imported.
        error: why torch cannot be imported, or why its devices do not start; None where unknown.
        kind: the type of the devices that torch can use; None where there are none.
        count: how many.
        archs: the architectures that this torch has code for.
        devices: those that were tried.
        broken: how the process that asked ended before its time, and at what; None where it did
            not.
    """

    library: bool = False
    driver: int = 0
    build: Mapping[str, Any] | None = None
    error: str | None = None
    kind: str | None = None
    count: int = 0
    archs: tuple[str, ...] = ()
    devices: tuple[Device, ...] = field(default=())
    broken: str | None = None


def ask(limit: float = LIMIT) -> Answer:
    """Ask the torch of this Python for its devices, in another process.

    The process starts CUDA (or what torch has in its place) and ends.

    Args:
        limit: seconds after which it is given up.
    """
    # Without the hook: this process is part of no run, and its flags change no answer.
    environment = {**os.environ, "SEED_INIT": "0"}
    # -S, -I and so on: the same packages as in this process.
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    with subprocess.Popen(
        [sys.executable, *flags, str(PROBE)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            text, said = process.communicate(timeout=limit)
            ended = _violent(process.returncode, said)
        except subprocess.TimeoutExpired:
            text, ended = _give_up(process), f"there was no answer within {limit:.0f} s"
        except BaseException:
            process.kill()
            raise
        return understood(text, ended)


def _give_up(process: "subprocess.Popen[str]") -> str:
    """Kill a process that does not answer; what it printed until then.

    A process that hangs within a system call of the driver outlives its SIGKILL: nobody waits.
    """
    process.kill()
    try:
        return process.communicate(timeout=2)[0]
    except subprocess.TimeoutExpired as late:
        process.returncode = -signal.SIGKILL
        text = late.output or b""
        return text.decode(errors="replace") if isinstance(text, bytes) else text


def _violent(status: int, said: str) -> str | None:
    """How a process ended that did not end well, with the last line that it said."""
    if status == 0:
        return None
    last = f" ({said.strip().splitlines()[-1]})" if said.strip() else ""
    if status > 0:
        return f"the process that asks torch ended with status {status}{last}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the process that asks torch was killed by {name}{last}"


STAGES = {
    "": "before it loaded the driver's library",
    "driver": "while it imported torch",
    "torch": "while the driver started",
    "cudnn": "while the driver started",
    "usable": "while it asked for the devices",
}
"""What the probe told last -> what it was at when it ended."""


def understood(text: str, ended: str | None) -> Answer:
    """Take the probe's lines for an answer.

    Args:
        text: what it printed.
        ended: how its process ended before its time; None where it did not.
    """
    told: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    stage = ""
    for line in text.splitlines():
        try:
            one = json.loads(line)
            stage = one["what"]
        except (ValueError, TypeError, KeyError):
            continue  # a library that prints
        if stage == "device":
            found.append({**one, "error": None})
        elif stage == "tried":
            found[-1]["error"] = one["error"]
        else:
            told[stage] = one
    if ended:
        if stage == "device":
            found[-1]["error"] = ended
        at = STAGES.get(stage, "during a product on a device")
        ended = f"{ended}, {at}"
    driver = told.get("driver", {})
    build = told.get("torch")
    if build is not None:
        build = {**build, "cudnn": told.get("cudnn", {}).get("version")}
    usable = told.get("usable", {})
    error = told.get("no torch", told.get("none", {})).get("error")
    return Answer(
        library=driver.get("library", False),
        driver=driver.get("version") or _found_version(error),
        build=build,
        error=error,
        kind=usable.get("kind"),
        count=usable.get("count", 0),
        archs=tuple(usable.get("archs", ())),
        devices=tuple(
            Device(
                one["index"],
                one["name"],
                tuple(one["capability"]) if one["capability"] else None,
                one["architecture"],
                one["error"],
            )
            for one in found
        ),
        broken=ended,
    )


def _found_version(error: str | None) -> int:
    """The driver's version in PyTorch's own words for one that is too old.

    They are in torch/csrc/cuda/Module.cpp and c10/cuda/CUDAFunctions.cpp.
    """
    found = re.search(r"driver on your system is too old \(found version (\d+)\)", error or "")
    return int(found[1]) if found else 0
