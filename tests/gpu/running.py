"""Run programs on a device as a user of the hook would, and keep what they say."""

import json
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, environment_of, run
from harness.repository import REPOSITORY

from . import differences
from .differences import Version

PROGRAMS = Path(__file__).parent / "programs"
MODELS = REPOSITORY / "benchmarks/cost"

ON_GPU = [pytest.mark.gpu, pytest.mark.xdist_group("gpu"), pytest.mark.torch]
"""The marks of a module whose tests need a GPU: one worker has them, because they share it."""

OF_THE_MACHINE = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH")
LIBRARIES = "LD_LIBRARY_PATH"

FACTS = """
import json, torch
there = torch.cuda.is_available()
names = [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count() * there)]
print(json.dumps({"torch": torch.__version__, "devices": names}))
"""


@cache
def release() -> Version:
    """The release of torch that is installed; the newest known where none is.

    Its metadata are read: pytest collects the tests without importing torch.
    """
    try:
        return differences.parsed(version("torch"))
    except PackageNotFoundError:
        return differences.NEWEST


def of_machine() -> dict[str, str]:
    """What of this process's environment a CUDA program needs: where the driver is, and a PATH.

    Containers find the driver's library by LD_LIBRARY_PATH.
    """
    kept = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    return {**kept, "PATH": os.environ.get("PATH", os.defpath)}


def on_machine(python: Path | str, env: dict[str, str | None]) -> dict[str, str | None]:
    """`env` on top of `of_machine`, with the interpreter's and the machine's libraries."""
    minimal = environment_of(python, {})
    libraries = [minimal.get(LIBRARIES), os.environ.get(LIBRARIES)]
    path = {LIBRARIES: ":".join(each for each in libraries if each)} if any(libraries) else {}
    return {**of_machine(), **path, **env}


def run_program(
    python: Path | str, name: str, *arguments: object, timeout: float = 600, **env: str | None
) -> Completed:
    """Run a program of `programs`, or what else is given by its path.

    Args:
        python: the interpreter.
        name: of the program, without its suffix.
        arguments: what follows it.
        timeout: seconds.
        env: on top of the machine's environment with SEED=7 and no line on stderr.
    """
    environment = {"SEED": "7", "SEED_INIT_LOG": "quiet", **env}
    words = [str(argument) for argument in arguments]
    program = PROGRAMS / f"{name}.py"
    return run(python, program, *words, env=on_machine(python, environment), timeout=timeout)


def told(python: Path | str, name: str, *arguments: object, **options: Any) -> Any:
    """The JSON in the last line of what a program prints; it must succeed."""
    done = run_program(python, name, *arguments, **options)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


@cache
def facts() -> dict[str, Any]:
    """The torch that programs get and its CUDA devices; `torch` is None where there is none."""
    env = on_machine(sys.executable, {"SEED_INIT": "0"})
    done = run(sys.executable, "-c", FACTS, env=env)
    if done.returncode:
        return {"torch": None, "devices": [], "error": done.stderr.strip().splitlines()[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def no_gpu() -> str | None:
    """Why the tests that need a GPU cannot run here; None where they can."""
    found = facts()
    if found["torch"] is None:
        return f"torch cannot be imported: {found['error']}"
    if not found["devices"]:
        return f"no CUDA device: torch.cuda.is_available() is False (torch {found['torch']})"
    return None


def gpu() -> str:
    """The first device, and the torch that drives it, for reasons and messages."""
    return f"{facts()['devices'][0]}, torch {facts()['torch']}"


def packages() -> list[str]:
    """Every directory with packages of the Python that runs this, wherever torch is in."""
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    more = [each for each in sys.path if each.rstrip("/").endswith("-packages")]
    return list(dict.fromkeys([*own, *more]))


def no_compiler() -> str | None:
    """Why triton and inductor can build nothing here; None where they can."""
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        return "no C compiler"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return f"no Python.h in {sysconfig.get_path('include')}"
    return None


@dataclass
class Launched:
    """What some processes said of one operator or model.

    Attributes:
        digests: of its bits, one for each launch that came to an end.
        warnings: their texts.
        errors: type and text of what ended its launches, one for each process where it did.
    """

    digests: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def varied(self) -> bool:
        return len(set(self.digests)) > 1

    def warned(self, start: str) -> bool:
        return any(text.startswith(start) for text in self.warnings)

    def complaints(self) -> list[str]:
        """Warnings about determinism, in whichever words PyTorch puts them."""
        return [text for text in self.warnings if re.search(r"(?i)determinis", text)]


def gathered(processes: list[list[dict[str, Any]]]) -> dict[str, Launched]:
    """What several processes printed, by the name of the operator or model."""
    found: dict[str, Launched] = {}
    for lines in processes:
        for line in lines:
            of_one = found.setdefault(line["name"], Launched())
            of_one.digests += line["digests"]
            of_one.warnings += line["warnings"]
            of_one.errors += [line["error"]] if line["error"] else []
    return found


def lines(done: Completed) -> list[dict[str, Any]]:
    """The lines of JSON that a program printed; of one that died, those that it got to."""
    assert done.returncode == 0 or done.stdout, done.stderr
    return [each for each in _json_lines(done.stdout)]


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)
