"""`seed-init install` and `uninstall`: nothing of the user's is lost, and everything comes back."""

import importlib.util
import os
import re
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.interpreters import stdlib_of
from harness.processes import Completed, output, run
from harness.repository import REPOSITORY
from seed_init.cli.installing import OLDEST

from .support import site_packages_of

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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_sitecustomize_that_was_there_is_kept_and_still_runs(fresh: Fresh) -> None:
    python = fresh("bare")
    found = stdlib_of(python) / "sitecustomize.py"
    found.write_text("print('theirs')\n")
    assert f"kept {found}" in seed_init(python, "install").stdout
    done = run(python, "-c", DRAW, env={"SEED": "7"})
    assert done.stdout.split() == ["theirs", SEEDED_7]


@pytest.mark.slow
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
    module = stdlib_of(python) / "seed_init/hook/streams.py"
    module.unlink()
    module.write_text("# an older release\n")
    assert f"installed {module.parent.parent}" in seed_init(python, "install").stdout
    assert module.read_bytes() == (PACKAGE / "hook/streams.py").read_bytes()


@pytest.mark.slow
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


@pytest.mark.parametrize("other", ["/no/such/python", ""])
def test_a_python_that_cannot_be_run_is_one_clear_line(python: Path, other: str) -> None:
    done = run(python, "-m", "seed_init", "install", "--python", other)
    assert done.returncode == 1
    assert done.stderr == (
        f"seed-init install: cannot run --python {other!r}: No such file or directory; "
        "give the path of a Python\n"
    )


@pytest.mark.parametrize("subcommand", ["install", "uninstall"])
def test_what_is_no_python_or_too_old_is_refused(
    python: Path, tmp_path: Path, subcommand: str
) -> None:
    """`/bin/true` would end well, and nothing would be installed."""
    old = tmp_path / "python2.7"
    old.write_text("#!/bin/sh\necho Python 2 7\n")
    old.chmod(0o755)
    for other, told in (
        ("/bin/true", "'/bin/true' is no Python; give the path of a Python"),
        ("/bin/false", "'/bin/false' is no Python; give the path of a Python"),
        (old, f"{str(old)!r} is Python 2.7; seed_init needs 3.10 or newer"),
    ):
        done = run(python, "-m", "seed_init", subcommand, "--python", other)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"seed-init {subcommand}: --python {told}")
        assert done.stderr.count("\n") == 1


def test_the_oldest_python_is_the_one_that_the_package_declares() -> None:
    declared = re.search(
        r'^requires-python = ">=(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.M
    )
    assert declared is not None
    assert tuple(map(int, declared[1].split("."))) == OLDEST


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_uninstall_refuses_to_overwrite_a_newer_sitecustomize(fresh: Fresh) -> None:
    python = fresh("bare")
    found = stdlib_of(python) / "sitecustomize.py"
    found.write_text("print('old')\n")
    assert seed_init(python, "install").returncode == 0
    found.unlink()
    found.write_text("print('new')\n")  # as an upgrade of the distribution's package does
    before = tree(python.parent.parent)
    done = seed_init(python, "uninstall")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert str(found) in done.stderr and "move one of them away" in done.stderr
    assert tree(python.parent.parent) == before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["-O", "-OO", "PYTHONPYCACHEPREFIX"])
def test_uninstall_leaves_no_compiled_file_that_would_run_instead(
    fresh: Fresh, tmp_path: Path, how: str
) -> None:
    python = fresh("bare")
    (stdlib_of(python) / "sitecustomize.py").write_text("print('theirs')\n")
    output(python, PACKAGE, "install")
    options = [how] if how.startswith("-") else []
    env = {} if options else {how: str(tmp_path / "elsewhere")}
    output(python, *options, "-c", "import random", env={"SEED": "7", **env})
    output(python, *options, PACKAGE, "uninstall", env=env)
    left = [path.name for path in stdlib_of(python).rglob("*") if "seed_init" in path.name]
    assert left == []
    assert output(python, "-c", "pass", env={"SEED": "7"}) == "theirs"


@pytest.mark.parametrize("how", ["stale", "damaged", "unreadable"])
def test_install_repairs_what_an_interrupted_update_left(fresh: Fresh, how: str) -> None:
    python = fresh("hooked")
    hook = stdlib_of(python) / "sitecustomize.py"
    if how == "unreadable":
        copy = hook.with_suffix(".new")  # links share their mode
        copy.write_bytes(hook.read_bytes())
        copy.chmod(0o600)
        copy.replace(hook)
    else:
        # By its name: a test with another optimization may have written one beside it.
        compiled = Path(importlib.util.cache_from_source(str(hook), optimization=""))
        old = compiled.read_bytes()
        compiled.unlink()
        compiled.write_bytes(
            old[: len(old) // 2] if how == "damaged" else old[:8] + b"12345678" + old[16:]
        )
    assert seed_init(python, "install").stdout == f"installed {hook}\n"
    assert hook.stat().st_mode & 0o777 == 0o644
    assert output(python, "-c", DRAW, env={"SEED": "7"}) == SEEDED_7


@pytest.mark.slow
def test_install_takes_a_new_startup_into_the_compiled_sitecustomize(
    fresh: Fresh, tmp_path: Path
) -> None:
    """One file is all that a start reads; a release that changes startup.py changes that file."""
    python = fresh("hooked")
    release = tmp_path / "seed_init"
    shutil.copytree(PACKAGE, release, ignore=shutil.ignore_patterns("__pycache__"))
    text = (release / "hook/startup.py").read_text()
    (release / "hook/startup.py").write_text(text.replace("SEED_MAX = 2**32 - 1", "SEED_MAX = 10"))
    hook = stdlib_of(python) / "sitecustomize.py"
    # As a distribution may do for -O: never compared with the source.
    both = (hook, hook.with_name("_seed_init_startup.py"))
    output(python, "-O", "-m", "compileall", "--invalidation-mode", "unchecked-hash", *both)
    assert f"installed {hook}" in output(python, release, "install").splitlines()
    for options in ([], ["-O"]):
        assert run(python, *options, "-c", "pass", env={"SEED": "11"}).returncode == 78
    (stdlib_of(python) / "_seed_init_startup.py").unlink()
    assert run(python, "-c", "pass", env={"SEED": "11"}).returncode == 78


@pytest.mark.parametrize("how", ["-O", "-OO", "PYTHONPYCACHEPREFIX", "no compiled files"])
def test_a_start_without_the_compiled_sitecustomize_is_seeded(
    fresh: Fresh, tmp_path: Path, how: str
) -> None:
    python = fresh("hooked")
    if how == "no compiled files":
        for compiled in stdlib_of(python).glob("__pycache__/*sitecustomize*"):
            compiled.unlink()
    options = [how] if how.startswith("-") else []
    env = {how: str(tmp_path)} if how.startswith("PY") else {}
    env |= {"SEED": "7", "PYTHONDONTWRITEBYTECODE": "1"}
    assert output(python, *options, "-c", DRAW, env=env) == SEEDED_7


def test_a_refused_install_changes_nothing(fresh: Fresh) -> None:
    python = fresh("bare")
    library = stdlib_of(python)
    (library / "sitecustomize").mkdir()
    (library / "sitecustomize/__init__.py").write_text("")
    (library / "sitecustomize.py").write_text("")
    (library / "_seed_init_kept_sitecustomize.py").write_text("")
    before = tree(python.parent.parent)
    done = seed_init(python, "install")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert tree(python.parent.parent) == before


def test_install_refuses_to_hide_a_module_of_the_users(fresh: Fresh, tmp_path: Path) -> None:
    output(fresh("bare"), "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    mine = site_packages_of(python) / "seed_init.py"
    mine.write_text("mine = True\n")
    done = run(python, PACKAGE, "install")
    assert done.returncode == 1
    assert done.stderr == (
        f"seed-init install: {mine} is there and is not seed_init's; move it away first\n"
    )


@pytest.mark.slow
def test_install_takes_the_release_that_pip_has_put_behind_the_installed_one(fresh: Fresh) -> None:
    python = fresh("hooked")
    newer = site_packages_of(python) / "seed_init"
    shutil.copytree(PACKAGE, newer, ignore=shutil.ignore_patterns("__pycache__"))
    text = (newer / "__init__.py").read_text()
    (newer / "__init__.py").write_text(text.replace('__version__ = "', '__version__ = "9.'))
    assert "installed" in output(python, "-m", "seed_init", "install")
    assert output(python, "-m", "seed_init", "--version").startswith("seed-init 9.")
    assert "nothing to do" in output(python, "-m", "seed_init", "install")


@pytest.fixture
def pip_venv(tmp_path: Path) -> Callable[..., str]:
    """Runs Python in an environment of the Python that runs the tests."""
    output("python3", "-m", "venv", "--system-site-packages", tmp_path / "venv", env=_path())
    (tmp_path / "source").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / "source" / name).write_bytes((REPOSITORY / name).read_bytes())
    output("cp", "-r", PACKAGE, tmp_path / "source/seed_init")

    def call(*words: str, **env: str) -> str:
        return output(tmp_path / "venv/bin/python", *words, env=env, cwd=tmp_path)

    return call


@pytest.mark.slow
def test_with_pip_the_hook_outlives_an_upgrade_and_sleeps_after_an_uninstallation(
    pip_venv: Callable[..., str], tmp_path: Path
) -> None:
    """As docs/how-to/run.md says it."""
    pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
    # setuptools comes from the tests' environment, so that no index is asked.
    tools = {"PYTHONPATH": sysconfig.get_path("purelib")}
    install = (*pip, "install", "--no-build-isolation", "--no-deps")
    pip_venv(*install, "./source", **tools)
    assert output(tmp_path / "venv/bin/seed-init", "--version").startswith("seed-init ")
    assert pip_venv("-c", DRAW, SEED="7") != SEEDED_7
    assert "installed" in output(tmp_path / "venv/bin/seed-init", "install")
    assert pip_venv("-c", DRAW, SEED="7") == SEEDED_7
    assert ": active" in pip_venv("-m", "seed_init", "status", SEED="7").splitlines()[0]
    pip_venv(*install, "--force-reinstall", "./source", **tools)
    assert pip_venv("-c", DRAW, SEED="7") == SEEDED_7
    pip_venv(*pip, "uninstall", "--yes", "seed-init")
    asleep = run(tmp_path / "venv/bin/python", "-c", DRAW, env={"SEED": "7"})
    assert asleep.stdout.strip() != SEEDED_7
    assert (asleep.stderr, asleep.returncode) == ("", 0)


def _path() -> dict[str, str]:
    import sys

    return {"PATH": f"{Path(sys._base_executable).parent}:{os.defpath}"}  # type: ignore[attr-defined]
