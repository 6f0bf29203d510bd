"""A sitecustomize that ours hides runs as if ours were not there."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.fixtures import install
from harness.interpreters import stdlib_of
from harness.processes import Completed, output, run

from .support import site_packages_of

SEED = {"SEED": "7"}
MARK = "import builtins; builtins.ran = [__name__]\n"
SHOW = """
import builtins, random, sys
drawn = random.random()
random.seed(7)
print("seeded" if drawn == random.random() else "unseeded", *getattr(builtins, "ran", ()))
"""


@dataclass(frozen=True)
class Form:
    """What a sitecustomize can be: its files, and what a Python without the hook does with it."""

    files: dict[str, str]
    ran: str = ""
    error: str = ""


ERROR = "Error in sitecustomize; set PYTHONVERBOSE for traceback:\n"
FORMS = {
    "plain": Form({"sitecustomize.py": MARK}, "sitecustomize"),
    "package": Form(
        {"sitecustomize/__init__.py": MARK + "from . import part", "sitecustomize/part.py": ""},
        "sitecustomize",
    ),
    "raising": Form(
        {"sitecustomize.py": MARK + "raise RuntimeError('boom')"},
        "sitecustomize",
        ERROR + "RuntimeError: boom\n",
    ),
    "not compiling": Form({"sitecustomize.py": "def"}, error=ERROR + "SyntaxError: invalid syntax"),
    "missing import": Form(
        {"sitecustomize.py": "import no_such_module"},
        error=ERROR + "ModuleNotFoundError: No module named 'no_such_module'\n",
    ),
    "ImportError of itself": Form({"sitecustomize.py": "from sitecustomize import no_such_name"}),
    "namespace directory": Form({"sitecustomize/readme.txt": ""}),
}


def add(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def result(done: Completed) -> tuple[str, str, int]:
    stderr = done.stderr
    if "SyntaxError" in stderr:  # it goes on with the file's name, which `install` changed
        stderr = stderr.partition(" (")[0]
    return done.stdout.strip(), stderr, done.returncode


@pytest.fixture(params=["kept by install", "later on sys.path"])
def hiding(request: pytest.FixtureRequest, fresh: Callable[[str], Path]) -> Callable[[Form], Path]:
    """A Python where our sitecustomize hides one of the given form."""

    def make(form: Form) -> Path:
        if request.param == "kept by install":
            python = fresh("bare")
            add(stdlib_of(python), form.files)
            install(python)
        else:
            python = fresh("hooked")
            add(site_packages_of(python), form.files)
        return python

    return make


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_hidden_sitecustomize_runs_and_user_code_is_seeded(
    hiding: Callable[[Form], Path], form: Form
) -> None:
    done = run(hiding(form), "-c", SHOW, env=SEED)
    assert result(done) == (f"seeded {form.ran}".strip(), form.error, 0)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_python_without_the_hook_does_the_same(fresh: Callable[[str], Path], form: Form) -> None:
    """Checks the table above against `site` itself."""
    python = fresh("bare")
    add(stdlib_of(python), form.files)
    done = run(python, "-c", SHOW)
    assert result(done) == (f"unseeded {form.ran}".strip(), form.error, 0)


def test_system_exit_in_a_hidden_sitecustomize_ends_python_as_without_us(
    hiding: Callable[[Form], Path],
) -> None:
    code = "import os\nif 'EXIT' in os.environ: raise SystemExit(3)"
    python = hiding(Form({"sitecustomize.py": code}))
    done = run(python, "-c", SHOW, env={**SEED, "EXIT": "1"})
    assert (done.stdout, done.returncode) == ("", 1)
    assert "Failed to import the site module" in done.stderr
    assert done.stderr.endswith("SystemExit: 3\n")


def test_a_hidden_sitecustomize_runs_with_seed_init_0(hiding: Callable[[Form], Path]) -> None:
    done = run(hiding(FORMS["plain"]), "-c", SHOW, env={"SEED_INIT": "0"})
    assert result(done) == ("unseeded sitecustomize", "", 0)


def test_a_hidden_sitecustomize_runs_once(hiding: Callable[[Form], Path]) -> None:
    python = hiding(Form({"sitecustomize.py": "import sys; print('ran', file=sys.stderr)"}))
    for env in (SEED, {}, {**SEED, "PYTHONPATH": "/nowhere"}):
        assert run(python, "-c", "import sitecustomize", env=env).stderr == "ran\n"


def test_the_hidden_module_is_what_import_sitecustomize_gives(
    hiding: Callable[[Form], Path],
) -> None:
    python = hiding(Form({"sitecustomize.py": "value = 5"}))
    code = "import sitecustomize as s, sys; print(s.value, s is sys.modules[s.__spec__.name])"
    assert output(python, "-c", code, env=SEED) == "5 True"


def test_a_hidden_sitecustomize_draws_seeded_numbers(hiding: Callable[[Form], Path]) -> None:
    python = hiding(Form({"sitecustomize.py": "import random; value = random.random()"}))
    code = "import random, sitecustomize; random.seed(7)"
    code += "; print(sitecustomize.value == random.random())"
    assert output(python, "-c", code, env=SEED) == "True"


@pytest.mark.parametrize("isolated", ["-I", "-E", "-s"])
def test_a_hidden_sitecustomize_runs_isolated(
    hiding: Callable[[Form], Path], isolated: str
) -> None:
    done = run(hiding(FORMS["plain"]), isolated, "-c", SHOW, env=SEED)
    assert result(done) == ("seeded sitecustomize", "", 0)


@pytest.mark.slow
def test_uninstall_puts_it_back(fresh: Callable[[str], Path]) -> None:
    for form in ("plain", "package"):
        python = fresh("bare")
        add(stdlib_of(python), FORMS[form].files)
        before = sorted(stdlib_of(python).glob("*sitecustomize*"))
        install(python)
        output(python, "-m", "seed_init", "uninstall")
        assert sorted(stdlib_of(python).glob("*sitecustomize*")) == before
        done = run(python, "-c", SHOW, env=SEED)
        assert result(done) == (f"unseeded {FORMS[form].ran}", "", 0)


@pytest.mark.slow
def test_install_twice_keeps_it(fresh: Callable[[str], Path]) -> None:
    python = fresh("bare")
    add(stdlib_of(python), FORMS["plain"].files)
    install(python)
    assert "nothing to do" in install(python)
    assert output(python, "-c", SHOW, env=SEED) == "seeded sitecustomize"


def test_a_kept_one_goes_before_a_later_one(fresh: Callable[[str], Path]) -> None:
    """`site` would have found the one in the stdlib directory, and that one only."""
    python = fresh("bare")
    add(stdlib_of(python), {"sitecustomize.py": "import builtins; builtins.ran = ['kept']"})
    install(python)
    add(site_packages_of(python), {"sitecustomize.py": "import builtins; builtins.ran = ['later']"})
    assert output(python, "-c", SHOW, env=SEED) == "seeded kept"


def test_a_namespace_directory_does_not_hide_a_later_module(fresh: Callable[[str], Path]) -> None:
    python = fresh("hooked")
    add(site_packages_of(python), {"sitecustomize/readme.txt": "", "z.pth": "later\n"})
    add(site_packages_of(python), {"later/sitecustomize.py": MARK})
    assert output(python, "-c", SHOW, env=SEED) == "seeded sitecustomize"


@pytest.mark.parametrize("archive", ["hidden.zip", "hidden.egg"])
def test_one_in_an_archive_runs(fresh: Callable[[str], Path], archive: str) -> None:
    python = fresh("hooked")
    packages = site_packages_of(python)
    with zipfile.ZipFile(packages / archive, "w") as file:
        file.writestr("sitecustomize.py", MARK)
    (packages / "archive.pth").write_text(f"{archive}\n")
    assert output(python, "-c", SHOW, env=SEED) == "seeded sitecustomize"


def test_one_that_is_only_compiled_runs(fresh: Callable[[str], Path], tmp_path: Path) -> None:
    python = fresh("hooked")
    add(tmp_path, {"sitecustomize.py": MARK})
    compiled = site_packages_of(python) / "sitecustomize.pyc"
    code = "import py_compile, sys; py_compile.compile(*sys.argv[1:])"
    output(python, "-c", code, tmp_path / "sitecustomize.py", compiled)
    assert output(python, "-c", SHOW, env=SEED) == "seeded sitecustomize"


@pytest.mark.slow
def test_one_that_is_only_compiled_is_kept_and_put_back(
    fresh: Callable[[str], Path], tmp_path: Path
) -> None:
    python = fresh("bare")
    (tmp_path / "source.py").write_text(MARK)
    compiled = stdlib_of(python) / "sitecustomize.pyc"
    compile_it = f"import py_compile; py_compile.compile({str(tmp_path / 'source.py')!r}, "
    output(python, "-c", compile_it + f"cfile={str(compiled)!r})")
    assert output(python, "-c", SHOW) == "unseeded sitecustomize"
    install(python)
    assert output(python, "-c", SHOW, env=SEED) == "seeded sitecustomize"
    output(python, "-m", "seed_init", "uninstall")
    assert output(python, "-c", SHOW) == "unseeded sitecustomize"


def test_that_of_a_venv_runs(python: Path, tmp_path: Path) -> None:
    """It is on sys.path behind the base's stdlib directory, where ours is."""
    output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
    venv = tmp_path / "venv/bin/python"
    add(site_packages_of(venv), FORMS["plain"].files)
    assert output(venv, "-c", SHOW, env=SEED) == "seeded sitecustomize"


def test_one_on_the_path_line_of_a_venv_with_the_hook_of_its_own_runs(
    bare: Path, tmp_path: Path
) -> None:
    """A venv of a base without the hook: its .pth line hides nothing."""
    output(bare, "-m", "venv", "--without-pip", tmp_path / "venv")
    venv = tmp_path / "venv/bin/python"
    install(venv)
    add(site_packages_of(venv), FORMS["plain"].files)
    assert output(venv, "-c", SHOW, env=SEED) == "seeded sitecustomize"


def test_usercustomize_runs(python: Path, tmp_path: Path) -> None:
    env = {**SEED, "PYTHONUSERBASE": str(tmp_path)}
    user = output(python, "-m", "site", "--user-site", env=env)
    add(Path(user), {"usercustomize.py": MARK})
    assert output(python, "-c", SHOW, env=env) == "seeded usercustomize"
