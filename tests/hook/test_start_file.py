"""The .start file: Pythons that run no code from a .pth file start the hook by it (PEP 829).

`programs/later_site.py` does what such a Python does. Where a Python that reads .start files is at
hand, as `python3.15` and so on, the last tests ask that one.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.interpreters import link_copy
from harness.processes import Completed, output, run
from harness.repository import REPOSITORY

from .support import program, site_packages_of

pytestmark = pytest.mark.slow

PACKAGE = REPOSITORY / "seed_init"
LATER_SITE = program("later_site")
SEEDED_7 = "0.32383276483316237"
DRAW = "import random; print(random.random())"
HOW_OFTEN = "import sys; print(sum('seed_init' in repr(each) for each in sys.meta_path))"

Fresh = Callable[[str], Path]


def install_for_a_later_python(python: Path) -> list[str]:
    """Install as in a Python that ignores the import lines of .pth files; what that says."""
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from seed_init.installing import placement\n"
        "placement.IMPORT_LINES_END = (3, 0)\n"
        "print('\\n'.join(placement.install(placement.here()).lines))"
    )
    return output(python, "-c", code, env={"SEED_INIT": "0"}).splitlines()


def later(python: Path, code: str, **env: str) -> Completed:
    """Run a program as a Python does that reads the .start file and not the .pth line."""
    return run(python, "-S", LATER_SITE, site_packages_of(python), code, env=env)


KINDS = ("base", "virtual environment", "virtual environment, package by pip")


def make(kind: str, bare: Path, place: Path) -> Path:
    """A Python with the hook and its .start file, in one of the ways to install."""
    python = link_copy(bare, place / "base")
    if kind != "base":
        output(python, "-m", "venv", "--without-pip", place / "venv")
        python = place / "venv/bin/python3"
    packages = site_packages_of(python)
    if "pip" in kind:
        shutil.copytree(PACKAGE, packages / "seed_init")
        (packages / "seed_init-0.dist-info").mkdir()
    said = install_for_a_later_python(python)
    names = ("_seed_init_entry.py", "seed_init.start", "seed_init.pth")
    assert said[-3:] == [f"installed {packages / name}" for name in names]
    return python


@pytest.fixture(scope="module", params=KINDS)
def python(
    request: pytest.FixtureRequest, bare: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A Python with the hook and its .start file. Read only: what changes it calls `make`."""
    return make(request.param, bare, tmp_path_factory.mktemp("later"))


def test_a_python_that_runs_the_line_of_the_pth_file_gets_no_start_file(fresh: Fresh) -> None:
    """There it would be read for nothing, and in 3.15 to 3.17 every start would pay for it."""
    if sys.version_info >= (3, 18):
        pytest.skip("this Python needs the file")
    python = fresh("bare")
    output(python, PACKAGE, "install")
    assert list(site_packages_of(python).glob("*.start")) == []


def test_a_later_python_is_seeded_by_the_start_file(python: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("")  # ours in a base does not run, either
    env = {"SEED": "7", "PYTHONPATH": str(tmp_path)}
    done = later(python, DRAW, **env)
    assert (done.stdout.strip(), done.stderr, done.returncode) == (SEEDED_7, "", 0)
    without = run(python, "-S", LATER_SITE, tmp_path, DRAW, env=env)
    assert without.stdout.strip() != SEEDED_7, without.stderr


def test_a_process_with_nothing_to_seed_loads_nothing_of_the_package(python: Path) -> None:
    code = "import sys; print([name for name in sys.modules if 'seed_init' in name])"
    done = later(python, code)
    assert (done.stdout.strip(), done.stderr) == ("['_seed_init_entry']", "")


def test_the_hook_starts_once_by_whatever_it_is_started(python: Path) -> None:
    """Today's `site` runs the .pth line, and the base's sitecustomize follows the .start file."""
    again = "import _seed_init_entry as e; e.start(); e.start(); "
    for done in (
        later(python, again + HOW_OFTEN, SEED="7", PYTHONPATH="/nowhere"),
        run(python, "-c", again + HOW_OFTEN, env={"SEED": "7"}),
    ):
        assert (done.stdout.strip(), done.stderr, done.returncode) == ("1", "", 0)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_hook_that_cannot_be_loaded_ends_the_process_with_one_line(
    bare: Path, tmp_path: Path, kind: str
) -> None:
    python = make(kind, bare, tmp_path)
    packages = site_packages_of(python)
    broken = packages / ("seed_init/hook/startup.py" if "pip" in kind else "_seed_init_startup.py")
    for compiled in broken.parent.glob(f"__pycache__/{broken.stem}.*"):
        compiled.unlink()
    broken.write_text("raise RuntimeError('damaged')\n")
    done = later(python, DRAW, SEED="7")
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr.count("\n") == 1 and "RuntimeError('damaged')" in done.stderr
    off = later(python, DRAW, SEED="7", SEED_INIT="0")
    assert (off.stderr, off.returncode) == ("", 0)
    if "pip" in kind:
        # pip removes the package, and leaves the files that it has not installed.
        shutil.rmtree(packages / "seed_init")
        asleep = later(python, DRAW, SEED="7")
        assert asleep.stdout.strip() != SEEDED_7
        assert (asleep.stderr, asleep.returncode) == ("", 0)


def test_the_start_file_is_replaced_checked_and_removed_as_the_pth_file_is(
    bare: Path, tmp_path: Path
) -> None:
    python = make("virtual environment", bare, tmp_path)
    packages = site_packages_of(python)
    start, entry = packages / "seed_init.start", packages / "_seed_init_entry.py"
    assert install_for_a_later_python(python) == []
    assert [file.stat().st_mode & 0o777 for file in (start, entry)] == [0o644, 0o644]
    start.write_text(start.read_text() + "# of an older release\n")
    assert install_for_a_later_python(python) == [f"installed {start}"]
    theirs = "# theirs\nmine:start\n"
    start.write_text(theirs)
    refused = run(python, PACKAGE, "install")
    assert refused.returncode == 1
    assert f"{start} is there and is not seed_init's" in refused.stderr
    assert start.read_text() == theirs
    start.unlink()
    install_for_a_later_python(python)
    removed = output(python, PACKAGE, "uninstall").splitlines()
    assert removed[:2] == [f"removed {start}", f"removed {entry}"]
    assert [each.name for each in packages.rglob("*_entry*")] == []


def readers_of_start_files() -> list[str]:
    """The Pythons on PATH that read .start files."""
    return [name for minor in range(15, 20) if shutil.which(name := f"python3.{minor}")]


@pytest.mark.skipif(not readers_of_start_files(), reason="no Python from 3.15 on is on PATH")
@pytest.mark.parametrize("name", readers_of_start_files())
def test_a_real_python_is_seeded_once_by_the_start_file_in_place_of_the_pth_line(
    name: str, tmp_path: Path
) -> None:
    output(str(shutil.which(name)), "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python3"
    packages = site_packages_of(python)
    output(python, PACKAGE, "install")
    assert output(python, "-c", DRAW, env={"SEED": "7"}) == SEEDED_7
    install_for_a_later_python(python)
    # Python says which of the two has run.
    done = run(python, "-v", "-c", f"{DRAW}; {HOW_OFTEN}", env={"SEED": "7"})
    assert done.stdout.split() == [SEEDED_7, "1"]
    assert "Executing entry point: _seed_init_entry:start" in done.stderr
    assert "Exec'ing from" not in "".join(
        line for line in done.stderr.splitlines() if "seed_init.pth" in line
    )
    (packages / "seed_init.pth").unlink()
    assert output(python, "-c", DRAW, env={"SEED": "7"}) == SEEDED_7
    assert output(python, "-c", DRAW) != SEEDED_7
