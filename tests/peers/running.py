"""Run one part of a suite in one interpreter, and read the outcome of each test.

Both runners write the XML that JUnit made common: CPython's `--junit-xml`
(Lib/test/libregrtest/cmdline.py) and pytest's `--junitxml`.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import interpreters
from harness.repository import REPOSITORY
from tests.peers.suites import Suite

PART_TIMEOUT = 900  # seconds for one part in one interpreter, on a busy machine
WHOLE = "the whole part"
"""Stands for the tests of a part that ended without a report: a crash, or the time-out."""

LOAD_FOLDER = """\
import os
from test.support import load_package_tests

def load_tests(*args):
    return load_package_tests(os.path.dirname(__file__), *args)
"""
"""What the folder of a test has in its `__init__.py`."""

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"

PACKAGES = Path(sysconfig.get_path("purelib"))
"""The packages whose tests are run: those of the environment that runs this."""

FETCHED = REPOSITORY / ".cache/peers"
"""Tests that are in no installed package (tools/peer-suites.sh)."""


@dataclass(frozen=True)
class Arm:
    """An interpreter, and what is set for it.

    Attributes:
        name: how it is told from the others.
        python: its executable.
        environment: its whole environment.
    """

    name: str
    python: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What became of one test: PASSED, SKIPPED or FAILED, and the text of its failure."""

    word: str
    text: str = ""


def directory(package: str) -> Path:
    """Where the tests of a package are."""
    fetched = FETCHED / package
    return fetched if fetched.exists() else PACKAGES / package


def make_arms(place: Path) -> list[Arm]:
    """Two private interpreters without the hook and with it, the latter idle and with SEED.

    Raises:
        FileNotFoundError: this Python has no package `test`.
    """
    bare = interpreters.copy_base(place / "bare")
    _link_tests(bare)
    interpreters.see_packages(bare)
    (site_packages,) = bare.parent.parent.glob("lib/python3*/site-packages")
    needed = FETCHED / "pytorch/packages"
    (site_packages / "peers.pth").write_text(f"{needed}\n")
    hooked = interpreters.link_copy(bare, place / "hooked")
    interpreters.install_hook(hooked)
    return [
        _arm("without the hook", bare),
        _arm("SEED=7", hooked, SEED="7"),
        _arm("idle hook", hooked),
    ]


def _link_tests(python: Path) -> None:
    """Put CPython's own tests into a private interpreter, which is made without them."""
    tests = Path(sysconfig.get_path("stdlib"), "test")
    if not (tests / "test_gc.py").exists():
        raise FileNotFoundError(
            f"{tests} has no tests of CPython; on Debian: apt-get install "
            f"libpython3.{sys.version_info[1]}-testsuite"
        )
    (library,) = (python.parent.parent / "lib").glob("python3*")
    copy = library / "test"
    shutil.copytree(tests, copy, symlinks=True)
    # 3.11.7 leaves out some tests that are folders there: Debian's package has those as files.
    # Its runner looks for folders (Lib/test/libregrtest/findtests.py, SPLITTESTDIRS).
    for file in (FETCHED / "cpython").glob("test_*.py"):
        folder = copy / file.stem
        if not (copy / file.name).exists() and not folder.exists():
            folder.mkdir()
            shutil.copy2(file, folder / "test_whole.py")
            (folder / "__init__.py").write_text(LOAD_FOLDER)


def _arm(name: str, python: Path, **variables: str) -> Arm:
    environment = interpreters.environment(python, **variables)
    # Some of CPython's tests start compilers and shells.
    environment |= {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")}
    del environment["PYTHONHASHSEED"]  # many of CPython's tests set it themselves
    return Arm(name, python, environment)


def outcomes(suite: Suite, part: str, arm: Arm, tests: Sequence[str] = ()) -> dict[str, Outcome]:
    """Run a part of a suite in an interpreter.

    Args:
        suite: the suite.
        part: one of its parts.
        arm: the interpreter.
        tests: names of tests, as in the result; none for all of the part.

    Returns:
        Name of a test to its outcome. Where there is no report, one outcome for `WHOLE`.
    """
    with tempfile.TemporaryDirectory() as place:
        report = Path(place, "report.xml")
        command = _command(suite, part, arm.python, report, tests)
        printed, status = _run(command, arm.environment, Path(place))
        try:
            root = ElementTree.parse(report).getroot()
        except (OSError, ElementTree.ParseError):
            return {WHOLE: Outcome(FAILED, f"exit status {status}, no report\n{printed[-2000:]}")}
    found = {_name(case): _outcome(case) for case in root.iter("testcase")}
    return found or {WHOLE: Outcome(FAILED, f"exit status {status}, no test\n{printed[-2000:]}")}


def _command(
    suite: Suite, part: str, python: Path, report: Path, tests: Sequence[str]
) -> list[str]:
    if suite.package is None:
        match = [word for test in tests for word in ("-m", test)]
        return [str(python), "-m", "test", "--junit-xml", str(report), *match, part]
    file = directory(suite.package) / part
    chosen = [f"{file}::{'::'.join(_pytest_words(test, part))}" for test in tests] or [str(file)]
    return [
        *(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
        *("-p", "no:xdist", "-c", os.devnull, "--rootdir", str(report.parent), *suite.options),
        *("--junitxml", str(report), *chosen),
    ]


def _pytest_words(test: str, part: str) -> list[str]:
    """The words of a test's id behind its file: class and function, or a function."""
    owner, _, name = test.rpartition("::")
    classes = owner.rpartition(Path(part).stem)[2].split(".")
    return [word for word in (*classes, name) if word]


def _run(
    command: Sequence[str], environment: Mapping[str, str], place: Path
) -> tuple[str, int | str]:
    """Run a command in a session of its own; return what it printed, and its status."""
    with subprocess.Popen(
        command,
        env={**environment, "TMPDIR": str(place)},
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=PART_TIMEOUT)
            return printed, process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
            return printed, f"killed after {PART_TIMEOUT} s"


def _name(case: ElementTree.Element) -> str:
    """A test's name: CPython's runner writes it whole, pytest in two attributes."""
    owner, name = case.get("classname"), case.get("name", "")
    return f"{owner}::{name}" if owner else name


def _outcome(case: ElementTree.Element) -> Outcome:
    for bad in ("failure", "error"):
        found = case.find(bad)
        if found is not None:
            return Outcome(FAILED, (found.text or found.get("message") or "").strip())
    return Outcome(SKIPPED if case.find("skipped") is not None else PASSED)
