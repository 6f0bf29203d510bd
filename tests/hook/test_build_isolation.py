"""pip builds packages in an environment of its own making, with a sitecustomize of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import output, run

from .support import program, site_packages_of

SHOW = program("show").read_text()
BACKEND = """
import pathlib, random
from setuptools.build_meta import *

# setuptools may have drawn already; what it was seeded with does not change.
from seed_init.hook import seeding
pathlib.Path(__file__).with_name("seen.txt").write_text(str(seeding.seeded.get("random")))
"""
# What pip needs for it, from the environment of whoever runs the tests: where an index is.
PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A source tree whose build backend looks whether it is seeded."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "backend.py").write_text(BACKEND)
    (directory / "fakeproject.py").write_text("value = 3\n")
    (directory / "pyproject.toml").write_text(
        """
[build-system]
requires = ["setuptools"]
build-backend = "backend"
backend-path = ["."]

[project]
name = "fakeproject"
version = "1"

[tool.setuptools]
py-modules = ["fakeproject"]
"""
    )
    return directory


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [("base", "7"), ("venv", "None")])
def test_a_build_succeeds_and_its_backend_is_seeded_in_a_base(
    fresh: Callable[[str], Path], tmp_path: Path, project: Path, kind: str, seed: str
) -> None:
    """pip's sitecustomize does not chain: a venv is the documented hole.

    In a base, pip then removes the directory of our .pth line from sys.path.
    """
    python = fresh("hooked")
    (site_packages_of(python) / "packages.pth").unlink()
    if kind == "venv":
        output(python, "-m", "venv", tmp_path / "venv")
        python = tmp_path / "venv/bin/python"
    else:
        output(python, "-m", "ensurepip")
    env = {"SEED": "7", "HOME": str(tmp_path), "PIP_NO_CACHE_DIR": "1", **PIP}
    done = run(python, "-m", "pip", "install", "--no-deps", project, env=env, timeout=120)
    if done.returncode != 0 and "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("no package index can be reached for setuptools")
    assert done.returncode == 0, done.stderr
    assert "seed_init" not in done.stdout + done.stderr
    assert (project / "seen.txt").read_text() == seed
    assert output(python, "-c", "import fakeproject; print(fakeproject.value)") == "3"


def test_the_hook_fires_after_site_packages_have_vanished(python: Path) -> None:
    """Its code is in the stdlib directory, and it imports the rest of itself late."""
    code = f"""
import sys
sys.path = [path for path in sys.path if "site-packages" not in path]
sys.path_importer_cache.clear()
{SHOW}
"""
    for env in ({}, {"PYTHONPATH": "/nowhere"}):
        assert output(python, "-c", code, env={"SEED": "7", **env}) == "seeded"


def test_pips_own_sitecustomize_runs_before_ours_is_asked(python: Path, tmp_path: Path) -> None:
    """pip writes it on PYTHONPATH; it does not chain (pip/_internal/build_env.py)."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, site, sys\n"
        "sys.path[:] = [path for path in sys.path if 'site-packages' not in path]\n"
    )
    env = {"SEED": "7", "PYTHONPATH": str(tmp_path)}
    assert output(python, "-c", SHOW, env=env) == "seeded"
