"""Private copies of the base interpreter, with and without the hook.

Hard links: both copies run the very same pages of the page cache. With real copies, where
the kernel happens to put each costs or saves more than the hook does.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from harness.repository import REPOSITORY

before_packages: list[Path] = []
"""Directories that private interpreters see before the packages (`harness.lanes`)."""

JUPYTER = {
    "jupyter": "from jupyter_core.command import main; main()",
    "jupyter-execute": "from nbclient.cli import main; main()",
}
"""The commands that a notebook is executed with, as programs of the Python under test."""

LEFT_OUT = shutil.ignore_patterns(
    *("test", "lib2to3", "idlelib", "tkinter", "turtledemo", "site-packages", "dist-packages"),
    # Debian's Python has a sitecustomize, and this one may have our hook.
    *("sitecustomize*", "usercustomize*", "_seed_init_*", "seed_init", "libpython*"),
)


def copy_base(prefix: Path) -> Path:
    """Copy the interpreter that runs this, without packages, to `prefix`.

    Returns:
        The path of the copy's executable.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, prefix / "lib" / version, ignore=LEFT_OUT)
    (prefix / "lib" / version / "site-packages").mkdir()
    executable = prefix / "bin" / version
    executable.parent.mkdir()
    shutil.copy2(sys._base_executable, executable)  # type: ignore[attr-defined]
    (prefix / "bin/python3").symlink_to(version)
    for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy2(shared, prefix / "lib", follow_symlinks=False)
    # The compiled files came along; this is for a Python that has none.
    _run(executable, "-m", "compileall", "-q", str(prefix / "lib" / version))
    return executable


def link_copy(executable: Path, prefix: Path) -> Path:
    """Copy a private interpreter to `prefix` by hard links; returns the executable."""
    shutil.copytree(executable.parent.parent, prefix, copy_function=os.link, symlinks=True)
    return prefix / "bin" / executable.name


def make_venv(base: Path, prefix: Path) -> Path:
    """Make a virtual environment of a private interpreter; returns its executable."""
    _run(base, "-m", "venv", "--without-pip", str(prefix))
    return prefix / "bin/python3"


def install_hook(executable: Path, base: Path | None = None) -> None:
    """Install the hook of this repository into a private interpreter.

    Args:
        executable: of the interpreter, or of a virtual environment.
        base: of the interpreter that a virtual environment was made from.
    """
    _run(executable, str(REPOSITORY / "seed_init"), "install", base=base)


def see_packages(executable: Path) -> None:
    """Let a private interpreter import what the environment that runs this has installed."""
    (site_packages,) = executable.parent.parent.glob("lib/python3*/site-packages")
    # A path line runs no .pth file that is in there.
    lines = (*map(str, before_packages), sysconfig.get_path("purelib"), "")
    (site_packages / "packages.pth").write_text("\n".join(lines))


def bare_and_hooked(place: Path) -> tuple[Path, Path]:
    """Two copies of the base interpreter that share their files, for a ratio of the two.

    Args:
        place: gets the directories `bare` and `hooked`.

    Returns:
        The one without the hook and the one with it; both see the packages of this Python.
    """
    bare = copy_base(place / "bare")
    see_packages(bare)
    hooked = link_copy(bare, place / "hooked")
    install_hook(hooked)
    return bare, hooked


def environment(executable: Path, **variables: str) -> dict[str, str]:
    """A minimal environment for a private interpreter, plus `variables`."""
    made = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    # What seed-init record keeps is not put into the developer's home.
    made["XDG_CACHE_HOME"] = str(Path(tempfile.gettempdir()) / f"seed_init-tests-{os.getuid()}")
    library = executable.parent.parent / "lib"
    if any(library.glob("libpython*")):  # a Python that was built shared
        made["LD_LIBRARY_PATH"] = str(library)
    if "TMPDIR" in os.environ:
        made["TMPDIR"] = os.environ["TMPDIR"]
    return {**made, **variables}


def stdlib_of(python: Path) -> Path:
    """The stdlib directory of a private prefix."""
    return python.parent.parent / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"


def with_jupyter(python: Path, directory: Path) -> Path:
    """Make a directory with the commands of Jupyter, for PATH; `python` runs them."""
    directory.mkdir()
    for name, code in JUPYTER.items():
        program = directory / name
        program.write_text(f"#!{python}\n{code}\n")
        program.chmod(0o755)
    return directory


def _run(executable: Path, *arguments: str, base: Path | None = None) -> None:
    subprocess.run(
        [str(executable), *arguments],
        env=environment(base or executable),
        check=True,
        stdout=subprocess.DEVNULL,
    )
