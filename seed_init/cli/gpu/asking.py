# SPDX-License-Identifier: Apache-2.0
"""Run the probe in a process of its own, and read the answer from what the probe printed."""

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
        index: the number of the device in torch.
        name: the name of the device.
        capability: the compute capability of an NVIDIA device; None for another one.
        architecture: the name for an AMD device, such as "gfx90a:sramecc+:xnack-"; None otherwise.
        error: the error of a product on the device; None if the product was computed.
    """

    index: int
    name: str
    capability: tuple[int, int] | None
    architecture: str | None
    error: str | None


@dataclass(frozen=True)
class Answer:
    """What torch says about its devices.

    Attributes:
        library: whether libcuda.so.1 can be loaded.
        driver: the CUDA version of NVIDIA's driver, 1000 * major + 10 * minor; 0 if unknown.
        build: version, cuda, hip, xpu, mps and cudnn of torch; None if it cannot be imported.
        error: why torch cannot be imported, or why its devices do not start; None if unknown.
        kind: the type of the devices that torch can use; None if there are none.
        count: how many devices torch can use.
        archs: the architectures that this torch has code for.
        devices: the devices that were tried.
        broken: how the process that asked ended too early, and at which stage; None if it did
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

    That process starts CUDA, or what this build of torch has instead, and ends.

    Args:
        limit: seconds after which nobody waits for the answer any longer.
    """
    # The hook is off: the process is part of no run, and no flag changes the answer.
    environment = {**os.environ, "SEED_INIT": "0"}
    # With the same flags, such as -S and -I, the process finds the same packages as this one.
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
    """Kill a process that does not answer, and return what it printed until then.

    A process that hangs in a system call of the driver outlives SIGKILL, so nobody waits for it.
    """
    process.kill()
    try:
        return process.communicate(timeout=2)[0]
    except subprocess.TimeoutExpired as late:
        process.returncode = -signal.SIGKILL
        text = late.output or b""
        return text.decode(errors="replace") if isinstance(text, bytes) else text


def _violent(status: int, said: str) -> str | None:
    """Return how a process failed, with the last line of its stderr; None if it did not fail."""
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
"""The last thing that the probe told -> what the probe was doing when it ended."""


def understood(text: str, ended: str | None) -> Answer:
    """Return the answer in the lines of the probe.

    Args:
        text: what the probe printed.
        ended: how the probe's process ended too early; None if it did not.
    """
    events, devices, stage = _events(text)
    if ended:
        if stage == "device":
            devices[-1]["error"] = ended
        ended = f"{ended}, {STAGES.get(stage, 'during a product on a device')}"
    driver = events.get("driver", {})
    build = events.get("torch")
    if build is not None:
        build = {**build, "cudnn": events.get("cudnn", {}).get("version")}
    usable = events.get("usable", {})
    error = events.get("no torch", events.get("none", {})).get("error")
    return Answer(
        library=driver.get("library", False),
        driver=driver.get("version") or _found_version(error),
        build=build,
        error=error,
        kind=usable.get("kind"),
        count=usable.get("count", 0),
        archs=tuple(usable.get("archs", ())),
        devices=tuple(map(_device, devices)),
        broken=ended,
    )


def _events(text: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Return the lines of the probe by their names, the devices, and the name of the last line."""
    events: dict[str, Any] = {}
    devices: list[dict[str, Any]] = []
    stage = ""
    for line in text.splitlines():
        try:
            event = json.loads(line)
            stage = event["what"]
        except (ValueError, TypeError, KeyError):
            continue  # a library has printed this line
        if stage == "device":
            devices.append({**event, "error": None})
        elif stage == "tried":
            devices[-1]["error"] = event["error"]
        else:
            events[stage] = event
    return events, devices, stage


def _device(event: Mapping[str, Any]) -> Device:
    return Device(
        event["index"],
        event["name"],
        tuple(event["capability"]) if event["capability"] else None,
        event["architecture"],
        event["error"],
    )


def _found_version(error: str | None) -> int:
    """Return the driver's version in PyTorch's message about a driver that is too old; else 0.

    The message is in torch/csrc/cuda/Module.cpp and c10/cuda/CUDAFunctions.cpp.
    """
    match = re.search(r"driver on your system is too old \(found version (\d+)\)", error or "")
    return int(match[1]) if match else 0
