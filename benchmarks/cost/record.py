"""The machine and the settings that figures belong to, and the file that holds them."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from harness import machine
from seed_init.proof.cost.judging import FORMAT
from seed_init.system import writing

Result = dict[str, Any]
"""What one file holds: machine, settings, started, arms, startup, and models: the name of each to
what `seed-init cost --json` prints of a program."""


def describe(versions: dict[str, Any], device: str) -> dict[str, Any]:
    """The record of this machine.

    Args:
        versions: torch, cuda, cudnn and gpu, which is None on the CPU.
        device: "cpu" or "cuda".
    """
    processor = machine.first(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo")
    kilobytes = int(machine.first(r"^MemTotal:\s*(\d+) kB$", "/proc/meminfo") or 0)
    return {
        "device": device,
        "processor": processor or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(kilobytes / 2**20),
        "gpu": versions["gpu"],
        "driver": driver() if device == "cuda" else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "torch": versions["torch"],
        "cuda": versions["cuda"],
        "cudnn": versions["cudnn"],
    }


def driver() -> str | None:
    """The version of NVIDIA's driver, where its tool tells."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n", 1)[0].strip() or None


def stem(machine: dict[str, Any]) -> str:
    """The name of a machine's files, without ending: what computed, and with which torch."""
    chip = machine["gpu"] or f"{machine['processor']} {machine['cores']} cores"
    build = f"cuda {machine['cuda']}" if machine["gpu"] else "cpu"
    torch = machine["torch"].split("+")[0]
    words = re.sub(r"\((r|tm)\)", "", f"{chip} torch {torch} {build}".lower())
    return re.sub(r"[^a-z0-9.]+", "-", words).strip("-")


def place(directory: Path, result: Result) -> Path:
    """The file for a result: a new one, or that of the same machine and settings.

    Two machines can have one name, and settings change: a number tells such files apart.
    """
    number = 1
    while True:
        ending = f"-{number}" if number > 1 else ""
        file = directory / f"{stem(result['machine'])}{ending}.json"
        if not file.exists() or same(read(file), result):
            return file
        number += 1


def same(one: Result, two: Result) -> bool:
    return all(one[part] == two[part] for part in ("machine", "settings"))


class Unreadable(Exception):
    """A file is no result. The text is one line for the user."""


def read(file: Path) -> Result:
    """The result in a file.

    Raises:
        Unreadable: there is none.
    """
    try:
        result: Result = json.loads(file.read_text())
        if {"machine", "settings", "arms", "models"} <= result.keys() and all(
            is_measured(model) for model in result["models"].values()
        ):
            return result
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror}; give a NAME.json") from None
    except (ValueError, AttributeError):
        pass
    raise Unreadable(f"{file} is no result of this benchmark; give a NAME.json that it has written")


def is_measured(model: dict[str, Any]) -> bool:
    """Whether this is what a measurement of a model gives, figures or the reason for none."""
    return "failed" in model or (model.get("format") == FORMAT and "rows" in model)


def text(result: Result) -> str:
    """The JSON of a result. A model is a line: its samples have a figure for each step."""
    models = result["models"]
    lines = [f"  {json.dumps(name)}: {json.dumps(model)}" for name, model in models.items()]
    rest = json.dumps({**result, "models": {}}, indent=1, ensure_ascii=False)
    before, after = rest.split('"models": {}')
    inside = "\n" + ",\n".join(lines) + "\n " if lines else ""
    return f'{before}"models": {{{inside}}}{after}\n'


def write(file: Path, result: Result) -> None:
    """Write a result, over what was measured before with the same settings on the same machine.

    Models that were not measured this time stay: rounds of one model are never compared with those
    of another.
    """
    if file.exists():
        old = read(file)
        result = {
            name: {**old[name], **part} if isinstance(part, dict) else part
            for name, part in result.items()
        }
    file.parent.mkdir(parents=True, exist_ok=True)
    writing.replace(file, text(result))
