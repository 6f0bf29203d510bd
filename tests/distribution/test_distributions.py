"""The wheel and the sdist: what is in them, and that an installed wheel does all it should.

`make dist` builds both into dist/ and runs these tests on them, with every Python that is at hand;
`make test` builds them anew, and takes the Python that runs the tests.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from email import message_from_string
from pathlib import Path

import pytest

import seed_init
from harness.repository import REPOSITORY

pytestmark = pytest.mark.slow

PACKAGE = REPOSITORY / "seed_init"
BUILT = os.environ.get("SEED_INIT_DIST")
"""A folder with a wheel and an sdist that are to be tested; without it they are built."""

UV = Path(sysconfig.get_path("scripts"), "uv")
DRAW = "import random; print(random.random())"
SEEDED_7 = "0.32383276483316237"
WITHOUT_TORCH = """
import random
with open("drawn.txt", "w") as file:
    print(random.random(), file=file)
print(random.random())
"""


def package_files() -> set[str]:
    """Every file that belongs to the package, as a wheel names it."""
    return {
        str(file.relative_to(REPOSITORY))
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist."""
    if BUILT:
        return Path(BUILT).resolve()
    # A copy: setuptools writes beside the sources.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    shutil.copytree(PACKAGE, source / "seed_init", ignore=shutil.ignore_patterns("__pycache__"))
    # The wheel is built from the sdist. setuptools is the one of this environment, so that no
    # index is asked.
    words = ("build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable)
    run([UV, *words, "--out-dir", source / "dist", source])
    return source / "dist"


def run(
    words: "list[str | Path]", cwd: Path | None = None, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command that has to succeed, with nothing of ours in its environment."""
    kept = {n: v for n, v in os.environ.items() if n in ("HOME", "LD_LIBRARY_PATH", "TMPDIR")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd or "/",
        env={**kept, "PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (file,) = built.glob("*.whl")
    return file


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"seed_init-{seed_init.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = package_files()
    assert {"seed_init/py.typed", "seed_init/hook/startup.py"} <= wanted
    assert any(name.endswith(".schema.json") for name in wanted)
    assert names == wanted


@pytest.mark.slow
def test_the_sdist_has_what_a_build_needs(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", *package_files()} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


@pytest.mark.slow
def test_the_metadata_say_what_the_project_file_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"seed_init-{seed_init.__version__}.dist-info"
        metadata = message_from_string(archive.read(f"{folder}/METADATA").decode())
        assert f"{folder}/licenses/LICENSE" in archive.namelist()
        commands = archive.read(f"{folder}/entry_points.txt").decode()
    assert metadata["Name"] == "seed-init"
    assert metadata["Version"] == seed_init.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_all("Requires-Dist") is None
    assert "Typing :: Typed" in (metadata.get_all("Classifier") or ())
    assert "seed-init = seed_init.cli:main" in commands


# --- installed --------------------------------------------------------------------------------


def pythons() -> Iterator[Path]:
    """The interpreters of the wheel's releases of Python; without `make dist`, this one alone."""
    own = sys.version_info[:2]
    yield Path(sys.executable)
    for minor in range(10, 20) if BUILT else ():
        name = f"python3.{minor}"
        homes = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}"))
        found = shutil.which(name)
        for file in (*map(str, homes), *([found] if found else [])):
            # A shim of pyenv's is on PATH for what is not chosen, too.
            if (3, minor) != own and subprocess.run(
                [file, "-c", ""], stderr=subprocess.DEVNULL
            ).returncode == 0:
                yield Path(file)
                break


@pytest.fixture(params=pythons(), ids=lambda python: python.name)
def call(request: pytest.FixtureRequest, tmp_path: Path, wheel: Path) -> Callable[..., str]:
    """Runs a command of a virtual environment that has the wheel installed and nothing else."""
    venv = tmp_path / "venv"
    run([request.param, "-m", "venv", "--without-pip", venv])
    # uv's pip: that of this environment need not know a newer Python.
    at = ("--quiet", "--no-cache", "--python", venv / "bin/python")
    run([UV, "pip", "install", *at, "--offline", "--no-deps", "--link-mode", "copy", wheel])
    project = tmp_path / "project"
    project.mkdir()
    (project / "draws.py").write_text(WITHOUT_TORCH)

    def call(command: str, *words: str, **env: str) -> str:
        if command == "uninstall":
            return run([UV, "pip", "uninstall", *at, *words]).stdout
        return run([venv / "bin" / command, *words], cwd=project, **env).stdout.strip()

    return call


def site_packages(call: Callable[..., str]) -> Path:
    return Path(call("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))


def files_below(folder: Path) -> Mapping[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.mark.slow
def test_an_installed_wheel_seeds_verifies_reports_and_goes_without_a_trace(
    call: Callable[..., str],
) -> None:
    packages = site_packages(call)
    by_pip = files_below(packages)
    where = "import seed_init; print(seed_init.__file__)"
    assert Path(call("python", "-c", where)) == packages / "seed_init/__init__.py"
    assert call("seed-init", "--version").startswith(f"seed-init {seed_init.__version__}")
    assert call("python", "-c", DRAW, SEED="7") != SEEDED_7, "the hook is not yet installed"

    assert f"installed {packages}" in call("seed-init", "install")
    assert call("python", "-c", DRAW, SEED="7") == SEEDED_7
    assert call("python", "-c", DRAW) != SEEDED_7
    assert ": active\n" in call("python", "-m", "seed_init", "status", SEED="7")

    program = ("--", str(packages.parents[2] / "bin/python"), "draws.py")
    told = call("seed-init", "verify", "--no-perturb", "--file", "drawn.txt", *program, SEED="7")
    assert "identical" in told.lower()
    # A record is checked against the schema, and the page has its style: both are data files.
    call("seed-init", "record", "-o", "one.json", *program, SEED="7")
    call("seed-init", "report", "one.json", "-o", "page.html")
    page = (packages.parents[3] / "project/page.html").read_text()
    assert "<style>" in page and "font-family" in page

    call("seed-init", "uninstall")
    assert files_below(packages) == by_pip
    assert call("python", "-c", DRAW, SEED="7") != SEEDED_7
    call("uninstall", "seed-init")
    assert files_below(packages) == {}
