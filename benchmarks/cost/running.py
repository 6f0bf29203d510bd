"""Run train.py once, in a fresh process, in the environment of an arm."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cost.arms import Arm
from harness import interpreters

HERE = Path(__file__).parent
PEERS = interpreters.REPOSITORY / ".venv-peers"
TIMEOUT = 900.0
"""Seconds for one process, which takes some ten."""

NO_VERSION = re.compile(r"(\S+) does not have a deterministic implementation")
DEFAULTS_TO = re.compile(r"([\w ]+ [Aa]ttention) defaults to a non-deterministic algorithm")
CUBLAS = "because it uses CuBLAS"
PASSED_ON = ("CUDA_VISIBLE_DEVICES", "HOME", "TMPDIR")
"""Of the caller's environment: which GPU, and where caches may lie."""


class Failed(Exception):
    """The process ended with an error; the message is one line that fits into a table."""


@dataclass(frozen=True)
class Interpreters:
    """Two private copies of one Python that see the same packages.

    Attributes:
        bare: without the hook.
        hooked: with the hook.
        scratch: where copies of the program are kept.
    """

    bare: Path
    hooked: Path
    scratch: Path

    def of(self, arm: Arm) -> Path:
        return self.hooked if arm.hooked else self.bare

    def environment(self, arm: Arm) -> dict[str, str]:
        python = self.of(arm)
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment = interpreters.environment(python, **passed_on, **arm.environment)
        # Where some machines keep the driver's libraries.
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] += os.pathsep + os.environ["LD_LIBRARY_PATH"]
        return environment

    def program(self, arm: Arm) -> Path:
        """A copy of train.py, with the lines of the arm at its top."""
        place = self.scratch / arm.name
        if not place.exists():
            place.mkdir(parents=True)
            shutil.copy(HERE / "models.py", place)
            text = (HERE / "train.py").read_text()
            (place / "train.py").write_text(with_lines(text, arm.lines))
        return place / "train.py"


def make_interpreters(place: Path, packages: Sequence[Path]) -> Interpreters:
    """Copy the Python that runs this, twice; one copy gets the hook of this repository.

    Args:
        place: an empty directory for them.
        packages: the directories of packages, for all arms alike: they run the very same torch.
    """
    bare = interpreters.copy_base(place / "bare")
    (site_packages,) = bare.parent.parent.glob("lib/python3*/site-packages")
    (site_packages / "packages.pth").write_text("".join(f"{path}\n" for path in packages))
    hooked = interpreters.link_copy(bare, place / "hooked")
    interpreters.install_hook(hooked)
    scratch = place / "programs"
    scratch.mkdir()
    return Interpreters(bare, hooked, scratch)


def packages() -> list[Path]:
    """Where torch and the peers are: .venv-peers, or whatever the Python that runs this sees."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    peers = PEERS / "lib" / version / "site-packages"
    if (peers / "torch").exists():
        return [peers]
    own = Path(sysconfig.get_path("purelib"))
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        raise Failed(f"no torch in {PEERS.name} or in {sys.executable}: run tools/peers.sh")
    # Not always the same: a system's Python may have it where its distribution keeps packages.
    return list(dict.fromkeys([own, Path(torch.origin).parent.parent]))


def with_lines(text: str, lines: str) -> str:
    """Put lines right after the docstring of a program."""
    end = text.index('"""\n', 3) + 4
    return f"{text[:end]}\n{lines}{text[end:]}" if lines else text


def train(pythons: Interpreters, arm: Arm, model: str, *options: str) -> dict[str, Any]:
    """Train a model under an arm.

    Args:
        pythons: the interpreters.
        arm: the way to train.
        model: its name.
        options: of train.py.

    Returns:
        What train.py printed, and in `warned` the operators that PyTorch warned of.

    Raises:
        Failed: it did not come to its end.
    """
    command = [str(pythons.program(arm)), model, *options]
    done = execute(pythons, arm, command)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer | {"warned": operators(done.stderr)}


def execute(
    pythons: Interpreters, arm: Arm, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run the Python of an arm.

    Raises:
        Failed: it ended with an error or took too long.
    """
    try:
        done = subprocess.run(
            [str(pythons.of(arm)), *arguments],
            env=pythons.environment(arm),
            cwd=pythons.scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"fails: took longer than {TIMEOUT:.0f} s") from None
    if done.returncode:
        raise Failed(reason(done.stderr, done.returncode))
    return done


def operators(stderr: str) -> list[str]:
    """The operators that PyTorch says have no deterministic version."""
    found = set(NO_VERSION.findall(stderr)) | set(DEFAULTS_TO.findall(stderr))
    if CUBLAS in stderr:
        found.add("cuBLAS without CUBLAS_WORKSPACE_CONFIG")
    return sorted(name.strip() for name in found)


def reason(stderr: str, status: int) -> str:
    """Why a process failed, in a few words."""
    last = (stderr.strip().splitlines() or [f"status {status}"])[-1]
    error = stderr[stderr.rfind("Traceback (most recent call last)") :]
    named = operators(error)
    if named:
        return f"raises: {named[0]}"
    return f"fails: {last[:160]}"
