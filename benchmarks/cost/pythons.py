"""The interpreters that run the models: one with the hook, and one without for start-up times."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.cost.arms import Arm
from harness import interpreters
from harness.repository import REPOSITORY

HERE = Path(__file__).parent
PEERS = REPOSITORY / ".venv-peers"
TIMEOUT = 900.0
"""Seconds for one process, which takes some ten."""

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

    def environment(self, python: Path) -> dict[str, str]:
        """What a process of one of the two gets, without what an arm sets."""
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment = interpreters.environment(python, **passed_on)
        environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
        # Where some machines keep the driver's libraries.
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] += os.pathsep + os.environ["LD_LIBRARY_PATH"]
        return environment

    def program(self, arm: Arm) -> str:
        """A copy of train.py below `scratch`, with the lines of the arm at its top; its name."""
        name = f"{arm.name}/train.py" if arm.lines else "train.py"
        file = self.scratch / name
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            shutil.copy(HERE / "models.py", file.parent)
            file.write_text(with_lines((HERE / "train.py").read_text(), arm.lines))
        return name


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


def execute(pythons: Interpreters, code: str) -> str:
    """Run a program in the interpreter without the hook; returns what it prints.

    Raises:
        Failed: it ended with an error or took too long.
    """
    try:
        done = subprocess.run(
            [str(pythons.bare), "-c", code],
            env=pythons.environment(pythons.bare),
            cwd=pythons.scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"fails: took longer than {TIMEOUT:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise Failed(f"fails: {last[:160]}")
    return done.stdout
