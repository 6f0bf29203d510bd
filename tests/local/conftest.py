"""A checkout of the tests' own on a machine without a Docker engine."""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.interpreters import see_packages
from harness.repository import copy_files

LOCKS = ("torch", "notebook")
OURS = ("SEED", "DETERMINISM", "JUPYTER", "NB_PREFIX", "PYTHONHASHSEED", "PIP_", "MAKE", "MFLAGS")
"""Beginnings of variables that would reach what is tested from whoever runs the tests."""


@dataclass(frozen=True)
class Checkout:
    """A copy of this repository, its git repository included, in which tests may do anything.

    Attributes:
        folder: the copy.
        commands: a folder that comes first on PATH.
    """

    folder: Path
    commands: Path

    def fake(self, name: str, script: str) -> None:
        """Put a command before the machine's own: software that is missing, or a GPU."""
        file = self.commands / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def environment(self, **variables: str) -> dict[str, str]:
        """Of a command that is run in it."""
        own = {n: v for n, v in os.environ.items() if not n.startswith(OURS)}
        path = f"{self.commands}:{os.environ['PATH']}"
        return {**own, "PATH": path, "PYTHON": sys.executable, **variables}

    def start(self, *words: str | Path, **variables: str) -> "subprocess.Popen[str]":
        """Start a command in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *words: str | Path, status: int = 0, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        process = self.start(*words, **variables)
        try:
            out, error = process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == status, f"status {process.returncode}\n{out}\n{error}"
        return subprocess.CompletedProcess(process.args, status, out, error)

    def changed(self) -> list[str]:
        """What git would tell its owner about."""
        return self.run("git", "status", "--porcelain").stdout.splitlines()


@pytest.fixture
def empty_checkout(tmp_path: Path) -> Checkout:
    """A checkout without a virtual environment, on a machine without a Docker engine."""
    return copy_checkout(tmp_path)


def copy_checkout(place: Path) -> Checkout:
    """Copy what git tracks, and what it does not ignore, as it is now, into a new repository."""
    checkout = Checkout(place / "checkout", place / "commands")
    checkout.commands.mkdir()
    checkout.fake("docker", '[ "$1" != info ]')
    copy_files(checkout.folder)
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    for words in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "a checkout"]):
        checkout.run("git", *identity, *words)
    return checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose virtual environment is finished as by `make train`.

    Its packages are those of the Python that runs the tests; all else tools/venv.sh has done.
    """
    checkout = copy_checkout(tmp_path_factory.mktemp("finished"))
    venv = checkout.folder / ".venv"
    checkout.run(sys.executable, "-m", "venv", "--without-pip", venv)
    see_packages(venv / "bin/python3")
    # JupyterLab looks for its pages, and Jupyter for what is enabled, below the prefix.
    prefix = Path(sysconfig.get_path("data"))
    shutil.copytree(prefix / "etc/jupyter", venv / "etc/jupyter")
    (venv / "share").symlink_to(prefix / "share")
    for name in LOCKS:
        script = f"cat requirements/{name}.txt | sha256sum > .venv/{name}.stamp"
        checkout.run("bash", "-c", script)
    checkout.run("tools/venv.sh", "local")
    assert stat.S_IMODE((venv / "bin/seed-init").stat().st_mode) == 0o755
    return checkout
