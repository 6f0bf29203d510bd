"""A sitecustomize on PYTHONPATH, as tracing agents put it there, hides ours."""

from pathlib import Path

import pytest

from harness.processes import output, run

from .support import site_packages_of

PATH_WITHOUT_OURSELVES = """
import os, sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
path = [entry for entry in sys.path if entry != os.path.dirname(__file__)]
"""
CHAINING = {
    # New Relic: newrelic/bootstrap/sitecustomize.py
    "load_module": PATH_WITHOUT_OURSELVES
    + "PathFinder.find_spec('sitecustomize', path).loader.load_module('sitecustomize')",
    # Datadog: ddtrace/bootstrap/sitecustomize.py
    "import again": "import os, sys; sys.path.remove(os.path.dirname(__file__))\n"
    "mine = sys.modules.pop('sitecustomize'); import sitecustomize",
    "module_from_spec": PATH_WITHOUT_OURSELVES
    + "spec = PathFinder.find_spec('sitecustomize', path); other = module_from_spec(spec)\n"
    "spec.loader.exec_module(other)",
    "module_from_spec, registered": PATH_WITHOUT_OURSELVES
    + "spec = PathFinder.find_spec('sitecustomize', path); other = module_from_spec(spec)\n"
    "sys.modules['sitecustomize'] = other; spec.loader.exec_module(other)",
    "runpy": PATH_WITHOUT_OURSELVES
    + "import runpy; runpy.run_path(PathFinder.find_spec('sitecustomize', path).origin,"
    " run_name='sitecustomize')",
}
NOT_CHAINING = "agent = True"
SHOW = """
import random, sys
drawn = random.random()
random.seed(7)
finders = [finder for finder in sys.meta_path if hasattr(finder, "waiting")]
print("seeded" if drawn == random.random() else "unseeded", len(finders))
"""


@pytest.fixture(params=["base", "venv", "venv with system site-packages"])
def any_python(request: pytest.FixtureRequest, python: Path, tmp_path: Path) -> Path:
    if request.param == "base":
        return python
    system = ["--system-site-packages"] if "system" in request.param else []
    output(python, "-m", "venv", "--without-pip", *system, tmp_path / "venv")
    return tmp_path / "venv/bin/python"


def agent(directory: Path, code: str) -> dict[str, str]:
    """The environment of a process that a tracing agent has been put before."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(code)
    return {"SEED": "7", "PYTHONPATH": str(directory)}


@pytest.mark.parametrize("code", CHAINING.values(), ids=CHAINING.keys())
def test_user_code_is_seeded_behind_one_that_chains(
    any_python: Path, tmp_path: Path, code: str
) -> None:
    done = run(any_python, "-c", SHOW, env=agent(tmp_path / "agent", code))
    assert (done.stdout, done.stderr, done.returncode) == ("seeded 1\n", "", 0)


@pytest.mark.parametrize("code", CHAINING.values(), ids=CHAINING.keys())
def test_the_chain_reaches_the_one_that_ours_hides(python: Path, tmp_path: Path, code: str) -> None:
    output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
    venv = tmp_path / "venv/bin/python"
    hidden = site_packages_of(venv) / "sitecustomize.py"
    hidden.write_text("import sys; print('ran', file=sys.stderr)")
    done = run(venv, "-c", SHOW, env=agent(tmp_path / "agent", code))
    assert (done.stdout, done.stderr, done.returncode) == ("seeded 1\n", "ran\n", 0)


@pytest.mark.slow
def test_behind_that_of_ddtrace_every_run_draws_the_same(python: Path) -> None:
    """The agent itself, as `ddtrace-run` starts it.

    It draws the jitter of its retries from `random` before user code runs, so that the
    numbers are not those of a script without it; docs/limits.md says so.
    """
    bootstrap = output(python, "-c", "import ddtrace.bootstrap as b; print(b.__path__[0])")
    env = {"PYTHONPATH": bootstrap, "DD_TRACE_ENABLED": "0"}
    env["DD_INSTRUMENTATION_TELEMETRY_ENABLED"] = "0"
    # Where gevent is installed it imports `random` anew for the user (docs/limits.md).
    env["DD_UNLOAD_MODULES_FROM_SITECUSTOMIZE"] = "0"
    code = "import random, sys; print('ddtrace.bootstrap' in sys.modules, random.random())"
    first, again, other = (
        output(python, "-c", code, env={**env, "SEED": seed}) for seed in ("7", "7", "8")
    )
    assert first.startswith("True ")
    assert first == again != other


def test_the_base_interpreter_is_seeded_behind_one_that_does_not_chain(
    python: Path, tmp_path: Path
) -> None:
    """The .pth line is for this case."""
    env = agent(tmp_path / "agent", NOT_CHAINING)
    assert output(python, "-c", SHOW, env=env) == "seeded 1"


def test_a_venv_with_system_site_packages_is_seeded_behind_one_that_does_not_chain(
    python: Path, tmp_path: Path
) -> None:
    output(python, "-m", "venv", "--without-pip", "--system-site-packages", tmp_path / "venv")
    env = agent(tmp_path / "agent", NOT_CHAINING)
    assert output(tmp_path / "venv/bin/python", "-c", SHOW, env=env) == "seeded 1"


def test_a_venv_is_not_seeded_behind_one_that_does_not_chain(python: Path, tmp_path: Path) -> None:
    """The documented hole: neither file of ours is run. `seed-init install` in the venv helps."""
    output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
    env = agent(tmp_path / "agent", NOT_CHAINING)
    venv = tmp_path / "venv/bin/python"
    assert output(venv, "-c", SHOW, env=env) == "unseeded 0"
    state = "import seed_init; status = seed_init.status(); print(status['hook'])"
    state += "; print(*status['not_covered'])"
    hook, not_covered = output(venv, "-c", state, env=env).splitlines()
    assert hook == "not active"
    assert "seed-init install" in not_covered

    output(venv, "-m", "seed_init", "install")
    assert output(venv, "-c", SHOW, env=env) == "seeded 1"


def test_an_agent_that_imports_random_first_does_not_leave_it_unseeded(
    any_python: Path, tmp_path: Path
) -> None:
    code = "import random\n" + CHAINING["import again"]
    assert output(any_python, "-c", SHOW, env=agent(tmp_path / "agent", code)) == "seeded 1"


def test_an_agent_is_refused_like_anybody_else(any_python: Path, tmp_path: Path) -> None:
    env = agent(tmp_path / "agent", CHAINING["import again"])
    done = run(any_python, "-c", SHOW, env={**env, "SEED": "banana"})
    assert (done.stdout, done.returncode) == ("", 78)
