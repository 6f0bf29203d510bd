"""Real engines on this machine: `make test-engines` installs them, and no other lane has them."""

import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import interpreters
from harness.processes import run
from harness.repository import REPOSITORY

from . import summary

VENV = Path(os.environ.get("SEED_INIT_ENGINES_VENV") or REPOSITORY / ".venv-engines")
"""Where the engines are installed. A single one may be in a virtual environment of its own."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests out of the lanes of `harness.lanes`."""
    return True if config.option.lane else None


outcomes: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
"""What the tests of this run have shown so far (`summary.table`)."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shows(engine, *what): a cell of the table (summary.py)")
    config.addinivalue_line("markers", "most_used: one of the engines that CI runs, too")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" or report.outcome != "passed":
        for mark in item.iter_markers("shows"):
            engine, *shown = mark.args
            if engine == "{}":
                engine = item.callspec.id  # type: ignore[attr-defined]
            for what in shown:
                outcomes[engine][what].add(report.outcome)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if outcomes:
        packages = [Path(pytest.__file__).parents[1], *VENV.glob("lib/python3*/site-packages")]
        terminalreporter.section("what the engines have shown")
        for row in summary.table(outcomes, packages):
            terminalreporter.line(row)


@pytest.fixture(scope="session")
def engines() -> Path:
    """The virtual environment that has the engines."""
    if not list(VENV.glob("lib/python3*/site-packages")):
        pytest.fail(f"no engines in {VENV}: run make test-engines", pytrace=False)
    return VENV


@pytest.fixture(scope="session")
def python(prefixes: Path, kept: Path, engines: Path) -> Path:
    """An interpreter with the hook, and with the engines beside the packages of the tests.

    The commands of the engines, such as `dask`, are beside it as programs of this interpreter.
    """
    python = interpreters.link_copy(prefixes / "hooked/bin/python3", kept / "engines")
    packages = interpreters.stdlib_of(python) / "site-packages/packages.pth"
    [first] = engines.glob("lib/python3*/site-packages")
    lines = f"{first}\n{packages.read_text()}"
    packages.unlink()  # the other copies share the file
    packages.write_text(lines)
    for command in (engines / "bin").iterdir():
        _copy_command(command, engines, python)
    return python


def _copy_command(command: Path, engines: Path, python: Path) -> None:
    """Copy a command of the engines' virtual environment as one of another Python."""
    if command.is_symlink() or command.is_dir() or (python.parent / command.name).exists():
        return
    copied = Path(shutil.copy(command, python.parent))
    given = re.escape(str(engines / "bin/python").encode()) + rb"[0-9.]*"
    copied.write_bytes(re.sub(given, str(python).encode(), copied.read_bytes()))


KUBERNETES = "1.29", "1.31", "1.33", "1.35", "1.37"
"""Versions whose published schemas are asked. The first one is the oldest that the pages name."""


@pytest.fixture
def faults(python: Path) -> Callable[[Any], str]:
    """What the published schemas of Kubernetes find in some objects; "" for nothing."""
    code = (
        "import json, sys, kubernetes_validate as k\n"
        "for item in json.load(sys.stdin):\n"
        "    for version in sys.argv[1:]:\n"
        "        k.validate(item, version, strict=True)\n"
    )

    def check(content: Any) -> str:
        env = {"SEED_INIT": "0"}
        done = run(python, "-c", code, *KUBERNETES, env=env, stdin=json.dumps(content))
        return done.stderr if done.returncode else ""

    return check
