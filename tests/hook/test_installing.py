"""`seed-init install` and `uninstall`: nothing of the user's is lost, and everything comes back."""

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from .support import REPOSITORY, Completed, output, run, site_packages_of, stdlib_of

Fresh = Callable[[str], Path]
PACKAGE = REPOSITORY / "seed_init"
DRAW = "import random; print(random.random())"
SEEDED_7 = "0.32383276483316237"


def seed_init(python: Path, *words: str, **options: object) -> Completed:
    return run(python, PACKAGE, *words, env={"PYTHONDONTWRITEBYTECODE": "1"})


def tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_install_says_what_it_did_and_the_second_time_that_there_is_nothing_to_do(
    fresh: Fresh,
) -> None:
    python = fresh("bare")
    first = seed_init(python, "install")
    assert (first.returncode, first.stderr) == (0, "")
    library, packages = stdlib_of(python), site_packages_of(python)
    assert first.stdout.splitlines() == [
        f"installed {library / 'seed_init'}",
        f"installed {library / '_seed_init_startup.py'}",
        f"installed {library / 'sitecustomize.py'}",
        f"installed {packages / 'seed_init.pth'}",
    ]
    before = tree(library.parent.parent)
    second = seed_init(python, "install")
    prefix = library.parent.parent
    assert second.stdout == f"nothing to do: the hook is in place already in {prefix}\n"
    assert tree(prefix) == before


def test_uninstall_leaves_the_prefix_as_it_was_before_install(fresh: Fresh) -> None:
    python = fresh("bare")
    prefix = python.parent.parent
    (stdlib_of(python) / "sitecustomize.py").write_text("print('theirs')\n")
    before = tree(prefix)
    assert seed_init(python, "install").returncode == 0
    assert tree(prefix) != before
    done = seed_init(python, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(prefix) == before
    assert output(python, "-c", "pass") == "theirs"
    assert "nothing to do: the hook is not installed" in seed_init(python, "uninstall").stdout


def test_a_sitecustomize_that_was_there_is_kept_and_still_runs(fresh: Fresh) -> None:
    python = fresh("bare")
    found = stdlib_of(python) / "sitecustomize.py"
    found.write_text("print('theirs')\n")
    assert f"kept {found}" in seed_init(python, "install").stdout
    done = run(python, "-c", DRAW, env={"SEED": "7"})
    assert done.stdout.split() == ["theirs", SEEDED_7]


def test_a_linked_sitecustomize_is_kept_as_a_link(fresh: Fresh, tmp_path: Path) -> None:
    """Debian's is a link into /etc, which must not be written through."""
    python = fresh("bare")
    target = tmp_path / "etc-sitecustomize.py"
    target.write_text("print('theirs')\n")
    link = stdlib_of(python) / "sitecustomize.py"
    link.symlink_to(target)
    seed_init(python, "install")
    assert target.read_text() == "print('theirs')\n"
    seed_init(python, "uninstall")
    assert link.is_symlink() and link.readlink() == target


def test_install_refuses_when_what_it_would_keep_has_no_place(fresh: Fresh) -> None:
    python = fresh("bare")
    library = stdlib_of(python)
    (library / "sitecustomize.py").write_text("new = 1\n")
    (library / "_seed_init_kept_sitecustomize.py").write_text("old = 1\n")
    done = seed_init(python, "install")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "remove one" in done.stderr
    assert (library / "sitecustomize.py").read_text() == "new = 1\n"


def test_install_refuses_a_package_that_it_did_not_put_there(fresh: Fresh) -> None:
    python = fresh("bare")
    theirs = stdlib_of(python) / "seed_init"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("theirs = True\n")
    done = seed_init(python, "install")
    assert done.returncode == 1 and "move it away first" in done.stderr
    assert tree(theirs) == {"__init__.py": b"theirs = True\n"}


def test_install_updates_an_older_installation(fresh: Fresh) -> None:
    python = fresh("hooked")
    module = stdlib_of(python) / "seed_init/streams.py"
    module.unlink()
    module.write_text("# an older release\n")
    assert f"installed {module.parent}" in seed_init(python, "install").stdout
    assert module.read_bytes() == (PACKAGE / "streams.py").read_bytes()


def test_install_into_a_virtual_environment_touches_only_its_site_packages(
    bare: Path, tmp_path: Path
) -> None:
    output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python3"
    packages = site_packages_of(python)
    (packages / "sitecustomize.py").write_text("theirs = 1\n")
    before = tree(bare.parent.parent)
    assert seed_init(python, "install").returncode == 0
    assert output(python, "-c", DRAW, env={"SEED": "7"}) == SEEDED_7
    assert output(python, "-c", "import sitecustomize as s; print(s.theirs)") == "1"
    assert tree(bare.parent.parent) == before
    assert seed_init(python, "uninstall").returncode == 0
    assert tree(packages) == {"sitecustomize.py": b"theirs = 1\n"}


def test_another_python_is_reached_with_the_option_python(python: Path, fresh: Fresh) -> None:
    other = fresh("bare")
    done = run(python, "-m", "seed_init", "install", "--python", other)
    assert done.returncode == 0, done.stderr
    assert output(other, "-c", DRAW, env={"SEED": "7"}) == SEEDED_7


def test_a_python_that_cannot_be_run_is_one_clear_line(python: Path) -> None:
    done = run(python, "-m", "seed_init", "install", "--python", "/no/such/python")
    assert done.returncode == 1
    assert done.stderr == (
        "seed-init install: cannot run --python '/no/such/python': No such file or directory\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become a user who may not write")
def test_a_directory_that_cannot_be_written_is_one_clear_line(fresh: Fresh) -> None:
    python = fresh("bare")
    for directory in (python, *python.parents):
        if directory.stat().st_uid == os.getuid() and directory.is_dir():
            directory.chmod(directory.stat().st_mode | 0o055)
    program = (
        "import os, runpy, sys; os.setgid(65534); os.setuid(65534);"
        f"sys.argv = ['seed_init', 'install']; sys.path.insert(0, {str(REPOSITORY)!r});"
        "runpy.run_module('seed_init', run_name='__main__')"
    )
    done = run(python, "-c", program)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "cannot write" in done.stderr
    assert not (stdlib_of(python) / "seed_init").exists()


def test_the_installed_files_can_be_read_by_everybody(fresh: Fresh) -> None:
    python = fresh("bare")
    old = os.umask(0o077)
    try:
        seed_init(python, "install")
    finally:
        os.umask(old)
    library = stdlib_of(python)
    files = [
        library / "sitecustomize.py",
        site_packages_of(python) / "seed_init.pth",
        *(library / "seed_init").rglob("*"),
    ]
    assert [str(path) for path in files if not path.stat().st_mode & 0o004] == []


def test_pip_installs_the_package_and_its_command_and_takes_the_hook_away_again(
    tmp_path: Path,
) -> None:
    """As README.md says it, in an environment of the Python that runs the tests."""
    output("python3", "-m", "venv", "--system-site-packages", tmp_path / "venv", env=_path())
    python = tmp_path / "venv/bin/python"
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((REPOSITORY / name).read_bytes())
    output("cp", "-r", PACKAGE, source / "seed_init")
    pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
    # setuptools comes from the tests' environment, so that no index is asked.
    tools = {"PYTHONPATH": sysconfig.get_path("purelib")}
    output(python, *pip, "install", "--no-build-isolation", "--no-deps", source, env=tools)
    command = tmp_path / "venv/bin/seed-init"
    assert output(command, "--version").startswith("seed-init ")
    assert "installed" in output(command, "install")
    assert output(python, "-c", DRAW, env={"SEED": "7"}) == SEEDED_7
    output(python, *pip, "uninstall", "--yes", "seed-init")
    assert "seed_init" not in " ".join(path.name for path in site_packages_of(python).iterdir())
    assert run(python, "-c", DRAW, env={"SEED": "7"}).stderr == ""


def _path() -> dict[str, str]:
    import sys

    return {"PATH": f"{Path(sys._base_executable).parent}:{os.defpath}"}  # type: ignore[attr-defined]
