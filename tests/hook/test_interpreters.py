"""Every way to start a Python that has the hook, and every environment made from it."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.interpreters import stdlib_of
from harness.processes import Completed, output, run
from harness.repository import REPOSITORY

from .support import program, site_packages_of, write_defaults

SEED = {"SEED": "7"}
CODE = program("show").read_text()


def seeded(done: Completed) -> bool:
    """What program "show" found; it must have succeeded in silence."""
    assert (done.stderr, done.returncode) == ("", 0)
    return {"seeded\n": True, "unseeded\n": False}[done.stdout]


class TestWaysToStart:
    def test_c(self, python: Path) -> None:
        assert seeded(run(python, "-c", CODE, env=SEED))

    def test_script(self, python: Path) -> None:
        assert seeded(run(python, program("show"), env=SEED))

    def test_m(self, python: Path) -> None:
        assert seeded(run(python, "-m", "show", env=SEED, cwd=program("show").parent))

    def test_stdin(self, python: Path) -> None:
        assert seeded(run(python, env=SEED, stdin=CODE))
        assert seeded(run(python, "-", env=SEED, stdin=CODE))

    def test_directory_and_zip(self, python: Path, tmp_path: Path) -> None:
        directory = tmp_path / "app"
        directory.mkdir()
        shutil.copy(program("show"), directory / "__main__.py")
        assert seeded(run(python, directory, env=SEED))
        archive = shutil.make_archive(str(directory), "zip", directory)
        assert seeded(run(python, archive, env=SEED))

    @pytest.mark.parametrize(
        "flag", ["-I", "-E", "-s", "-B", "-O", "-OO", "-u", "-Xutf8", "-Wignore"]
    )
    def test_flags(self, python: Path, flag: str) -> None:
        assert seeded(run(python, flag, "-c", CODE, env=SEED))

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="-P is new in 3.11")
    def test_flag_p(self, python: Path) -> None:
        assert seeded(run(python, "-P", "-c", CODE, env=SEED))

    def test_flag_s_capital_is_not_seeded(self, python: Path) -> None:
        """Documented: `site` is what runs a sitecustomize and .pth files."""
        assert not seeded(run(python, "-S", "-c", CODE, env=SEED))

    def test_flag_s_capital_is_told_by_status(self, python: Path) -> None:
        code = "import seed_init; print(*seed_init.status()['not_covered'])"
        assert "start it without -S" in output(python, "-S", "-c", code, env=SEED)

    def test_through_a_link(self, python: Path, tmp_path: Path) -> None:
        (tmp_path / "linked").symlink_to(python)
        assert seeded(run(tmp_path / "linked", "-c", CODE, env=SEED))

    @pytest.mark.parametrize("locale", ["POSIX", "C"])
    def test_ascii_locale(self, python: Path, locale: str) -> None:
        env = {"LANG": None, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        assert seeded(run(python, "-c", CODE, env={**SEED, **env}))
        assert seeded(run(python, "-c", CODE, env={**SEED, **env, "PYTHONPATH": "/nowhere"}))

    def test_dont_write_bytecode(self, fresh: Callable[[str], Path]) -> None:
        python = fresh("hooked")
        for compiled in stdlib_of(python).glob("seed_init/**/*.pyc"):
            compiled.unlink()
        assert seeded(run(python, "-c", CODE, env={**SEED, "PYTHONDONTWRITEBYTECODE": "1"}))
        assert not list(stdlib_of(python).glob("seed_init/**/*.pyc"))


class TestEnvironments:
    """A virtual environment shares its base's stdlib directory, where the hook is."""

    @pytest.mark.parametrize("option", ["--symlinks", "--copies", "--system-site-packages"])
    def test_venv(self, python: Path, tmp_path: Path, option: str) -> None:
        output(python, "-m", "venv", "--without-pip", option, tmp_path / "venv", env=SEED)
        venv = tmp_path / "venv/bin/python"
        assert seeded(run(venv, "-c", CODE, env=SEED))
        assert seeded(run(venv, "-I", "-c", CODE, env=SEED))

    @pytest.mark.slow
    def test_venv_with_pip(self, python: Path, tmp_path: Path) -> None:
        """ensurepip runs pip in the new environment, and pip runs under the hook."""
        done = run(python, "-m", "venv", tmp_path / "venv", env=SEED)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
        assert seeded(run(tmp_path / "venv/bin/python", "-c", CODE, env=SEED))
        done = run(tmp_path / "venv/bin/pip", "--version", env=SEED)
        assert (done.stderr, done.returncode) == ("", 0)

    def test_venv_in_a_venv(self, python: Path, tmp_path: Path) -> None:
        output(python, "-m", "venv", "--without-pip", tmp_path / "outer", env=SEED)
        outer = tmp_path / "outer/bin/python"
        output(outer, "-m", "venv", "--without-pip", tmp_path / "inner", env=SEED)
        assert seeded(run(tmp_path / "inner/bin/python", "-c", CODE, env=SEED))

    @pytest.mark.parametrize("option", [(), ("--system-site-packages",)], ids=["", "system"])
    def test_virtualenv(self, python: Path, tmp_path: Path, option: tuple[str, ...]) -> None:
        where = ("--no-download", "--without-pip", "--no-periodic-update", tmp_path / "venv")
        env = {**SEED, "HOME": str(tmp_path), "VIRTUALENV_OVERRIDE_APP_DATA": str(tmp_path / "app")}
        if not list(Path(sys.prefix, "bin").glob("virtualenv")):
            pytest.skip("virtualenv is not installed")
        made = run(python, "-m", "virtualenv", *option, *where, env=env)
        assert made.returncode == 0, made.stderr
        assert seeded(run(tmp_path / "venv/bin/python", "-c", CODE, env=SEED))

    def test_uv_venv(self, python: Path, tmp_path: Path) -> None:
        """uv asks the interpreter about itself and reads the answer from its stdout."""
        uv = Path(sys.prefix, "bin/uv")
        if not uv.exists():
            pytest.skip("uv is not installed")
        offline = ("--offline", "--no-python-downloads", "--no-config", "--no-cache")
        made = run(
            *(uv, "venv", *offline, "--python", python, tmp_path / "venv"),
            env={**SEED, "HOME": str(tmp_path), "SEED_INIT_LOG": "debug"},
        )
        assert made.returncode == 0, made.stderr
        assert seeded(run(tmp_path / "venv/bin/python", "-c", CODE, env=SEED))

    def test_another_prefix_is_not_seeded(self, bare: Path, tmp_path: Path) -> None:
        """Documented: each base interpreter, such as a conda environment's, needs an install."""
        assert not seeded(run(bare, "-c", CODE, env=SEED))
        output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
        assert not seeded(run(tmp_path / "venv/bin/python", "-c", CODE, env=SEED))

    def test_another_prefix_is_seeded_after_install(
        self, fresh: Callable[[str], Path], tmp_path: Path
    ) -> None:
        python = fresh("bare")
        output(python, REPOSITORY / "seed_init", "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
        assert seeded(run(python, "-c", CODE, env=SEED))
        output(python, REPOSITORY / "seed_init", "uninstall")
        assert not seeded(run(python, "-c", CODE, env=SEED))

    def test_a_venv_of_a_base_without_the_hook_can_have_its_own(
        self, bare: Path, tmp_path: Path
    ) -> None:
        output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
        venv = tmp_path / "venv/bin/python"
        output(venv, REPOSITORY / "seed_init", "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
        for flags in ((), ("-I",)):
            assert seeded(run(venv, *flags, "-c", CODE, env=SEED))
        assert not seeded(run(bare, "-c", CODE, env=SEED))

    def test_a_defaults_file_of_a_venv_is_enough(self, python: Path, tmp_path: Path) -> None:
        output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
        write_defaults(tmp_path / "venv", "SEED=7\n")
        assert seeded(run(tmp_path / "venv/bin/python", "-c", CODE))


class TestBothEntryPoints:
    """sitecustomize and the .pth line, in one process."""

    STATE = (
        "import sys, numpy.random; print(sum(hasattr(f, 'waiting') for f in sys.meta_path)); "
        "print(sys.modules['seed_init.hook.startup'] is sys.modules['_seed_init_startup'])"
    )

    @pytest.mark.parametrize("pythonpath", [None, "/nowhere"])
    def test_install_one_finder_and_say_one_line(
        self, python: Path, pythonpath: str | None
    ) -> None:
        done = run(python, "-c", self.STATE, env={**SEED, "PYTHONPATH": pythonpath})
        assert done.stdout == "1\nTrue\n"
        assert done.stderr == "seed_init: SEED=7 (environment), DETERMINISM=warn\n"

    def test_of_a_base_and_of_a_package_that_pip_put_into_its_venv_install_one_finder(
        self, python: Path, tmp_path: Path
    ) -> None:
        output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
        venv = tmp_path / "venv/bin/python"
        # As pip leaves an editable installation.
        (site_packages_of(venv) / "seed_init-0.dist-info").mkdir()
        (site_packages_of(venv) / "editable.pth").write_text(f"{REPOSITORY}\n")
        output(venv, REPOSITORY / "seed_init", "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
        code = "import sys; print(sum(hasattr(f, 'waiting') for f in sys.meta_path))"
        assert output(venv, "-c", code, env=SEED) == "1"

    def test_of_a_base_and_of_its_venv_install_one_finder(
        self, python: Path, tmp_path: Path
    ) -> None:
        output(python, "-m", "venv", "--without-pip", "--system-site-packages", tmp_path / "venv")
        venv = tmp_path / "venv/bin/python"
        output(venv, REPOSITORY / "seed_init", "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
        done = run(venv, "-c", self.STATE, env={**SEED, "PYTHONPATH": "/nowhere"})
        assert (done.stdout, done.stderr.count("\n")) == ("1\nTrue\n", 1)

    def test_may_start_it_again(self, python: Path) -> None:
        code = "from seed_init.hook import startup; startup.start(); startup.start(); import sys; "
        code += "print(sum(hasattr(finder, 'waiting') for finder in sys.meta_path))"
        assert output(python, "-c", code, env=SEED) == "1"


class TestBrokenHook:
    """`site` goes on after a .pth line that fails; user code must not run unseeded."""

    @pytest.fixture(params=["missing", "broken"])
    def broken(self, bare: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
        venv = tmp_path / "venv/bin/python"
        output(venv, REPOSITORY / "seed_init", "install")
        hook = site_packages_of(venv) / "_seed_init_startup.py"
        for compiled in hook.parent.glob("__pycache__/_seed_init_startup.*"):
            compiled.unlink()
        hook.unlink()
        if request.param == "broken":
            hook.write_text("?")
        return venv

    @pytest.mark.parametrize("env", [SEED, {"DETERMINISM": "strict"}], ids=str)
    def test_ends_a_process_that_is_to_be_seeded(self, broken: Path, env: dict[str, str]) -> None:
        done = run(broken, "-c", "print('user code ran')", env=env)
        assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("", 78, 1)
        assert done.stderr.startswith("seed_init: cannot load the seeding hook (")

    @pytest.mark.parametrize("env", [{}, {"SEED": ""}, {**SEED, "SEED_INIT": "0"}], ids=str)
    def test_stops_no_other(self, broken: Path, env: dict[str, str]) -> None:
        done = run(broken, "-c", "print('user code ran')", env=env)
        assert (done.stdout, done.returncode, done.stderr) == ("user code ran\n", 0, "")

    def test_ends_a_base_interpreter_behind_a_foreign_sitecustomize(
        self, fresh: Callable[[str], Path], tmp_path: Path
    ) -> None:
        python = fresh("hooked")
        (tmp_path / "sitecustomize.py").write_text("")
        (stdlib_of(python) / "_seed_init_startup.py").unlink()
        env = {**SEED, "PYTHONPATH": str(tmp_path)}
        done = run(python, "-c", "print('user code ran')", env=env)
        assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("", 78, 1)


@pytest.mark.parametrize("env", [{}, {"PYTHONPATH": "/nowhere"}], ids=str)
@pytest.mark.parametrize("kind", ["base", "venv"])
def test_an_idle_hook_refuses_nothing(
    python: Path, bare: Path, tmp_path: Path, kind: str, env: dict[str, str]
) -> None:
    if Path("/etc/seed_init/defaults").exists():
        pytest.skip("this machine has /etc/seed_init/defaults")
    one = python if kind == "base" else tmp_path / "venv/bin/python"
    if kind == "venv":
        output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
        output(one, REPOSITORY / "seed_init", "install")
    assert output(one, "-c", "print(1)", env={"CUDNN_BENCHMARK": "banana", **env}) == "1"


class TestQuiet:
    @pytest.mark.parametrize(
        "code",
        ["pass", "import random", "import numpy", "import tempfile, json, subprocess, logging"],
    )
    @pytest.mark.parametrize("log", ["info", "quiet"])
    def test_says_nothing_where_no_library_is_seeded_that_people_compare(
        self, python: Path, code: str, log: str
    ) -> None:
        """`import numpy` alone does not import numpy.random."""
        for env in ({}, SEED, {"SEED": "off"}, {"DETERMINISM": "strict"}):
            done = run(python, "-c", code, env={**env, "SEED_INIT_LOG": log})
            if done.stderr:
                # An older NumPy imports numpy.random by itself.
                assert code == "import numpy" and done.stderr.startswith("seed_init: SEED=7")
            assert (done.stdout, done.returncode) == ("", 0)

    def test_modules_after_start_are_those_without_us(self, python: Path, bare: Path) -> None:
        code = "import sys; print(*sys.modules)"
        without_us = set(output(bare, "-c", code, env=SEED).split())
        armed = set(output(python, "-c", code, env=SEED).split()) - without_us
        assert armed == {"sitecustomize", "_seed_init_startup", "seed_init.hook.startup"}

    def test_modules_after_start_with_nothing_to_seed(self, python: Path, bare: Path) -> None:
        if Path("/etc/seed_init/defaults").exists():
            pytest.skip("this machine has /etc/seed_init/defaults")
        code = "import sys; print(*sys.modules)"
        idle = set(output(python, "-c", code).split()) - set(output(bare, "-c", code).split())
        assert idle == {"sitecustomize"}

    def test_modules_after_start_with_seed_init_0(self, python: Path, bare: Path) -> None:
        code = "import sys; print(*sys.modules)"
        off = set(output(python, "-c", code, env={"SEED_INIT": "0"}).split())
        assert off - set(output(bare, "-c", code).split()) == {"sitecustomize"}

    def test_modules_after_seeding_random_are_few_and_ours(self, python: Path, bare: Path) -> None:
        code = "import random, sys; print(*sys.modules)"
        more = set(output(python, "-c", code, env=SEED).split())
        more -= set(output(bare, "-c", code, env=SEED).split())
        more = {name for name in more if "seed_init" not in name}
        assert more <= {"sitecustomize", "_blake2"}

    def test_a_start_reads_one_file_of_ours(self, python: Path) -> None:
        """Every file costs every Python a look for it, a read and its unpacking."""
        code = "import sys; print(sys.modules['_seed_init_startup'].__spec__)"
        assert output(python, "-c", code, env=SEED) == "None"

    def test_garbage_of_the_users_is_still_collected(self, python: Path) -> None:
        code = (
            "import gc, weakref\n"
            "class Node: pass\n"
            "node = Node(); node.itself = node; seen = weakref.ref(node); del node\n"
            "gc.collect(); print(seen())"
        )
        assert output(python, "-c", code, env=SEED) == "None"


class TestImportedBeforeUs:
    @pytest.mark.parametrize("library", ["random", "numpy.random"])
    def test_by_a_pth_file(self, fresh: Callable[[str], Path], library: str) -> None:
        python = fresh("hooked")
        site_packages = site_packages_of(python)
        # After packages.pth, which brings NumPy.
        (site_packages / "zz.pth").write_text(f"import {library}\n")
        code = f"import {library} as lib; d = lib.random(); lib.seed(7); print(d == lib.random())"
        done = run(python, "-c", code, env=SEED)
        assert done.stdout == "True\n"
        assert (done.stderr == "") == (library == "random")

    def test_forked_children_are_seeded_all_the_same(self, fresh: Callable[[str], Path]) -> None:
        """`random` has registered its reseed from the OS before we could."""
        python = fresh("hooked")
        (site_packages_of(python) / "a.pth").write_text("import random\n")
        arguments = (program("children"), "os_fork", "none", "random")
        told = [output(python, *arguments, env=SEED) for _ in range(2)]
        assert told[0] == told[1]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="_xxsubinterpreters is gone")
def test_a_subinterpreter_is_seeded(python: Path) -> None:
    code = f"""
import _xxsubinterpreters as interpreters
interpreters.run_string(interpreters.create(), {CODE!r})
"""
    done = run(python, "-c", code, env=SEED)
    assert (done.stdout, done.stderr, done.returncode) == ("seeded\n", "", 0)


class TestFiles:
    def test_pth_is_one_ascii_line(self, python: Path, bare: Path, tmp_path: Path) -> None:
        output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
        venv = tmp_path / "venv/bin/python"
        output(venv, REPOSITORY / "seed_init", "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
        for one in (python, venv):
            text = (site_packages_of(one) / "seed_init.pth").read_bytes()
            assert text.isascii()
            assert text.startswith(b"import ") and text.endswith(b"\n") and text.count(b"\n") == 1

    @pytest.mark.parametrize("umask", ["022", "077"])
    def test_everybody_may_read_all_of_it(self, fresh: Callable[[str], Path], umask: str) -> None:
        """An unreadable hook is skipped by Python, which then runs unseeded."""
        python = fresh("bare")
        command = f"umask {umask}; exec '{python}' -B '{REPOSITORY / 'seed_init'}' install"
        done = run("/bin/sh", "-c", command, env={"LD_LIBRARY_PATH": f"{python.parent.parent}/lib"})
        assert done.returncode == 0, done.stderr
        library = stdlib_of(python)
        files = [library / "sitecustomize.py", library / "_seed_init_startup.py"]
        files += [*library.glob("__pycache__/*sitecustomize*"), site_packages_of(python)]
        files += [*library.glob("__pycache__/_seed_init*"), library / "seed_init"]
        files += [*library.glob("seed_init/**/*"), *site_packages_of(python).glob("*.pth")]
        unreadable = [path for path in files if path.stat().st_mode & 0o044 != 0o044]
        assert not unreadable

    def test_compiled_files_need_no_time_stamps(self, python: Path) -> None:
        """Image tools change file times; a stale .pyc would be compiled at every start."""
        library = stdlib_of(python)
        sources = [*library.glob("seed_init/**/*.py"), library / "_seed_init_startup.py"]
        sources.append(library / "sitecustomize.py")
        assert len(sources) > 20
        for source in sources:
            compiled = Path(importlib.util.cache_from_source(str(source), optimization=""))
            assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", source


def test_a_user_who_may_not_write_into_the_prefix_is_seeded(
    public: Path, nobody: tuple[str, ...]
) -> None:
    library = {"LD_LIBRARY_PATH": str(public.parent.parent / "lib")}
    for compiled in stdlib_of(public).glob("seed_init/**/*.pyc"):
        compiled.unlink()
    directories = [path for path in public.parent.parent.rglob("*") if path.is_dir()]
    for directory in directories:
        directory.chmod(0o555)
    try:
        assert seeded(run(*nobody, public, "-c", CODE, env={**SEED, **library}))
        refused = run(*nobody, public, "-c", CODE, env={"SEED": "banana", **library})
    finally:
        for directory in directories:
            directory.chmod(0o755)
    assert (refused.stdout, refused.returncode) == ("", 78)
    assert not list(stdlib_of(public).glob("seed_init/**/*.pyc"))


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize("kind", ["base", "venv"])
def test_a_refusal_that_nobody_can_read_still_ends_the_process(
    python: Path, bare: Path, tmp_path: Path, closed: str, kind: str
) -> None:
    one = python if kind == "base" else tmp_path / "venv/bin/python"
    if kind == "venv":
        output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
        output(one, REPOSITORY / "seed_init", "install")
    done = subprocess.run(
        ["sh", "-c", f"exec '{one}' -c 'print(1)' {closed}"],
        env={"SEED": "seven", "LD_LIBRARY_PATH": str(bare.parent.parent / "lib")},
        capture_output=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == (b"", 78)


def test_a_refusal_in_mid_run_keeps_what_was_printed(python: Path, tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("")
    code = "print('epoch 1 done'); import random"
    done = run(python, "-c", code, env={**SEED, "PYTHONPATH": str(tmp_path)})
    assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("epoch 1 done\n", 78, 1)


@pytest.mark.parametrize(
    "argv", ["sys.argv = [pathlib.Path('x.py')]", "del sys.argv", "sys.argv = []"]
)
def test_a_program_may_do_what_it_likes_to_sys(python: Path, argv: str) -> None:
    code = f"""
import pathlib, sys
class Stream:
    def write(self, text):
        raise RuntimeError("logger down")
    def flush(self):
        pass
sys.stderr = Stream()
{argv}
import numpy.random
print(numpy.random.rand())
"""
    assert output(python, "-c", code, env=SEED) == "0.07630828937395717"


def test_a_closed_stderr_stops_nothing(python: Path) -> None:
    code = "import numpy.random; print(numpy.random.rand())"
    command = f"exec '{python}' -c '{code}'"
    drawn = [
        subprocess.run(
            ["sh", "-c", f"{command} {closed}"],
            env={"SEED": "7", "LD_LIBRARY_PATH": str(python.parent.parent / "lib")},
            capture_output=True,
            timeout=60,
        )
        for closed in ("", "2>&-", "2>/dev/full")
    ]
    assert len({done.stdout for done in drawn}) == 1
    assert drawn[0].stdout
