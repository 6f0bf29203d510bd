"""Interpreters of the tests' own, and a directory that pytest's processes share.

A plugin of pytest: every test can ask for these fixtures.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.interpreters import copy_base, link_copy, see_packages
from harness.processes import output
from harness.repository import REPOSITORY


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of this session that pytest's processes share: for what `once` keeps."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    directory = shared / "kept"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def prefixes(kept: Path) -> Path:
    """A directory with two copies of the base interpreter: `hooked`, and `bare` without it."""
    shared = kept.parent
    built = shared / "prefixes"
    with (shared / "prefixes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            building = shared / "prefixes-in-the-making"
            shutil.rmtree(building, ignore_errors=True)
            copy_base(building / "bare")
            link_copy(building / "bare/bin/python3", building / "hooked")
            # What is installed knows its paths: give it the one that it will keep.
            building.rename(built)
            see_packages(built / "bare/bin/python3")
            see_packages(built / "hooked/bin/python3")
            install(built / "hooked/bin/python3")
    return built


@pytest.fixture(scope="session")
def python(prefixes: Path) -> Path:
    """A base interpreter with the hook. Read only: what changes it takes `fresh`."""
    return prefixes / "hooked/bin/python3"


@pytest.fixture(scope="session")
def bare(prefixes: Path) -> Path:
    """The same interpreter without the hook."""
    return prefixes / "bare/bin/python3"


@pytest.fixture
def fresh(prefixes: Path, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make a copy of `hooked` or `bare` that this test may change.

    By hard links: replace files in it, never write into one.
    """
    made: list[Path] = []

    def make(kind: str) -> Path:
        prefix = tmp_path / f"prefix-{len(made)}"
        made.append(prefix)
        return link_copy(prefixes / kind / "bin/python3", prefix)

    yield make
    for prefix in made:
        shutil.rmtree(prefix)


@pytest.fixture
def public(prefixes: Path) -> Iterator[Path]:
    """A copy of `hooked` that this test may change, where every user can get at it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield link_copy(prefixes / "hooked/bin/python3", Path(name, "prefix"))


@pytest.fixture
def nobody() -> tuple[str, ...]:
    """What to put before a command so that it runs without root's rights."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def install(python: Path) -> str:
    """Install the hook of this repository, as the image and the README do."""
    package = REPOSITORY / "seed_init"
    return output(python, package, "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
