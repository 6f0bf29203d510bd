"""A Python of the tests' own, with the hook really installed in its stdlib directory."""

import compileall
import fcntl
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .support import REPOSITORY, output, run, site_packages_of, stdlib_of

NOT_COPIED = shutil.ignore_patterns(
    # The tests bring their own sitecustomize; Debian's Python has one.
    *("sitecustomize.py", "usercustomize.py", "sitecustomize*.pyc", "_seed_init_*", "seed_init"),
    *(
        "site-packages",
        "dist-packages",
        "test",
        "lib2to3",
        "idlelib",
        "tkinter",
        "turtledemo",
        "libpython*",
    ),
)


@pytest.fixture(scope="session")
def prefixes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two copies of the base interpreter: `hooked`, and `bare` without it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    built = shared / "prefixes"
    with (shared / "prefixes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            building = shared / "prefixes-in-the-making"
            shutil.rmtree(building, ignore_errors=True)
            _copy_base_interpreter(building / "bare")
            _copy_by_links(building / "bare", building / "hooked")
            # What is installed knows its paths: give it the one that it will keep.
            building.rename(built)
            _add_packages(built / "bare/bin/python3")
            _add_packages(built / "hooked/bin/python3")
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
        _copy_by_links(prefixes / kind, prefix)
        made.append(prefix)
        return prefix / "bin/python3"

    yield make
    for prefix in made:
        shutil.rmtree(prefix)


def install(python: Path) -> str:
    """Install the hook of this repository, as the image and the README do."""
    package = REPOSITORY / "seed_init"
    return output(python, package, "install", env={"PYTHONDONTWRITEBYTECODE": "1"})


def _copy_base_interpreter(prefix: Path) -> None:
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    binary = prefix / "bin" / version
    binary.parent.mkdir(parents=True)
    shutil.copy2(sys._base_executable, binary)  # type: ignore[attr-defined]
    (binary.parent / "python3").symlink_to(version)
    library = prefix / "lib" / version
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=NOT_COPIED)
    for shared in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, prefix / "lib", follow_symlinks=False)
    # The compiled files came along; this is for a Python that has none.
    compileall.compile_dir(library, quiet=2)
    done = run(binary, "-c", "import sys; print(sys.prefix)")
    assert done.stdout.strip() == str(prefix), f"a copy of this Python does not work: {done}"


def _copy_by_links(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, copy_function=os.link)


def _add_packages(python: Path) -> None:
    """Let a Python import what .venv has. A path line runs no .pth file that is in there."""
    packages = site_packages_of(python)
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    assert stdlib_of(python).is_dir()
