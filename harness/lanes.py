"""The lanes of the tests: `make test-fast`, `make test` and `make test-all`, as a plugin of pytest.

    fast   no process that imports torch, no container, nothing that is marked `slow`; of each
           parametrized test a share of its cases
    test   everything that is cheap, and a share of what is dear (`DEAR`)
    all    everything

A share is another one at each commit, so that some commits in a row run all:

- Of the dear tests of a folder, one in so many runs as `PERIODS` says, and of the cases of one that
  is parametrized, one in `CASES`, at least one. Together a case comes round in as many commits as
  the product of the two.
- What is marked `rotating(every=n)` is a catalogue, all of one file together: cases that prove the
  same on other material. Of these, one in n runs. `rotating(every=1)` marks what runs at each
  commit though it is dear.

Which share runs is the number of the commit: how many there are before it, as
`git log --first-parent` counts, so that commits which follow each other run all shares in turn.
Where git does not have the whole history, the commit's hash takes the place of its number, and
where there is no git, the number is 0. `--rotation=N` gives another number.

Without `--lane`, pytest runs what it is asked for, and prints no tables.

The lane `fast` is held to what it says (`Wire`): there `torch` and `docker` are a module and a
program that end their process and name the test.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from harness import interpreters

LANES = ("fast", "test", "all")
DEAR = ("torch", "image", "slow")
"""The markers of tests that take seconds."""

NOT_FAST = (*DEAR, "gpu")
"""The markers of what the lane `fast` leaves out."""

PERIODS = {
    "benchmarks/tests/cost": 4,
    "benchmarks/tests/micro": 4,
    "tests/distribution": 2,
    "tests/docs": 4,
    "tests/gpu": 4,
    "tests/hook": 4,
    "tests/image": 4,
    "tests/local": 2,
    "tests/nullcuda": 3,
    "tests/proof": 4,
    "tests/sweeps": 4,
}
"""Of how many commits one runs a dear test of a folder; every commit for those not here."""

CASES = 3
"""Of how many commits one runs a case of a dear test that has several."""

MARKERS = (
    "torch: a process under test imports torch",
    "image: needs a Docker engine and builds the image",
    "gpu: needs a CUDA device",
    "slow: takes seconds without importing torch; the lane `fast` leaves it out",
    "rotating(every): of these cases the lane `test` runs one in `every`, another at each commit",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lanes")
    group.addoption("--lane", choices=LANES, help="which tests run: see harness/lanes.py")
    group.addoption(
        "--rotation", type=int, metavar="N", help="which share of each catalogue runs in `test`"
    )


@pytest.hookimpl(tryfirst=True)  # before xdist hands the options to its workers
def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    option = config.option
    if option.lane in ("fast", "test") and option.rotation is None:
        option.rotation = commit_number(config.rootpath)
    if option.lane == "fast":
        if not hasattr(option, "wire"):  # a worker gets that of the process that started it
            option.wire = tempfile.mkdtemp(prefix="seed-init-wire-")
            Wire(Path(option.wire)).set_up()
            config.add_cleanup(lambda: shutil.rmtree(option.wire))
        config.pluginmanager.register(Tripwire(Wire(Path(option.wire))), "tripwire")


def commit_number(repository: Path) -> int:
    """How many commits the present one follows; see the docstring of the module."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        if git("rev-parse", "--is-shallow-repository") == "false":
            return int(git("rev-list", "--count", "--first-parent", "HEAD"))
        return int(git("rev-parse", "HEAD"), 16)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


# --- what runs --------------------------------------------------------------------------------


def pytest_report_header(config: pytest.Config) -> str | None:
    lane, rotation = config.option.lane, config.option.rotation
    if lane == "fast":
        return f"lane fast: share {rotation}, nothing that is marked {', '.join(NOT_FAST)}"
    if lane == "test":
        return f"lane test: share {rotation} of what is dear; make test-all runs all of it"
    return f"lane {lane}" if lane else None


@pytest.hookimpl(trylast=True)  # conftests add markers before
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane, number = config.option.lane, config.option.rotation
    if lane not in ("fast", "test"):
        return
    left_out, catalogues = split(items, lane, number)
    config.stash[SHARES] = [str(each) for each in catalogues]
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    # Cheap tests last, so that both of pytest's processes are busy to the end.
    items[:] = sorted((item for item in items if item not in left_out), key=is_cheap)


SHARES = pytest.StashKey[list[str]]()


@dataclass
class Catalogue:
    """Tests of which a share runs.

    Attributes:
        name: where they are.
        share: which share runs, in words.
        tests: how many there are.
        left_out: those that do not run.
    """

    name: str
    share: str
    tests: int = 0
    left_out: list[pytest.Item] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}: {self.tests - len(self.left_out)} of {self.tests} tests, {self.share}"


def split(
    items: Sequence[pytest.Item], lane: str, number: int
) -> tuple[set[pytest.Item], list[Catalogue]]:
    """What a lane leaves out of some tests at the commit of a number, and of which catalogues."""
    if lane == "fast":
        chosen = [item for item in items if not any(map(item.get_closest_marker, NOT_FAST))]
        catalogues = cases_of(chosen, number)
    else:
        chosen = list(items)
        catalogues = dear_tests_of(chosen, number)
    catalogues += marked(chosen, number)
    left_out = set(items).difference(chosen)
    left_out.update(item for each in catalogues for item in each.left_out)
    return left_out, catalogues


def share(items: Sequence[pytest.Item], every: int, number: int) -> list[pytest.Item]:
    """The items that do not run when one in `every` does."""
    return [item for place, item in enumerate(items) if (place + number) % every]


def marked(items: list[pytest.Item], number: int) -> list[Catalogue]:
    """What is marked `rotating`, by file."""
    found = defaultdict[tuple[str, int], list[pytest.Item]](list)
    for item in items:
        if marker := item.get_closest_marker("rotating"):
            found[file_of(item), marker.kwargs["every"]].append(item)
    return [
        Catalogue(file, f"one in {every}", len(tests), share(tests, every, number))
        for (file, every), tests in found.items()
        if every > 1
    ]


def dear_tests_of(items: list[pytest.Item], number: int) -> list[Catalogue]:
    """The dear tests that are not marked `rotating`, by folder."""
    found: dict[str, Catalogue] = {}
    for file, tests in by_test(item for item in items if is_dear(item)).items():
        folder = file.rpartition("/")[0]
        period = PERIODS.get(folder, 1)
        words = f"one test in {period} and of its cases one in {CASES}"
        catalogue = found.setdefault(folder, Catalogue(folder, words))
        for place, cases in enumerate(tests.values()):
            catalogue.tests += len(cases)
            # Not all files begin with their first test at the same commit.
            if (place + zlib.crc32(file.encode()) + number) % period:
                catalogue.left_out += cases
            else:
                catalogue.left_out += share(cases, min(CASES, len(cases)), number // period)
    return list(found.values())


def cases_of(items: list[pytest.Item], number: int) -> list[Catalogue]:
    """The parametrized tests that are not marked `rotating`."""
    catalogue = Catalogue("parametrized tests", f"one case in {CASES}")
    for tests in by_test(item for item in items if hasattr(item, "callspec")).values():
        for cases in tests.values():
            catalogue.tests += len(cases)
            catalogue.left_out += share(cases, min(CASES, len(cases)), number)
    return [catalogue]


def by_test(items: Iterable[pytest.Item]) -> dict[str, dict[str, list[pytest.Item]]]:
    """File -> name of a test -> its cases, of those not marked `rotating`.

    What is in one group, because it shares what is expensive, counts as one test.
    """
    found: dict[str, dict[str, list[pytest.Item]]] = {}
    for item in items:
        if not item.get_closest_marker("rotating"):
            group = item.get_closest_marker("xdist_group")
            name = group.args[0] if group else item.nodeid.partition("[")[0]
            found.setdefault(file_of(item), {}).setdefault(name, []).append(item)
    return found


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def is_dear(item: pytest.Item) -> bool:
    return any(map(item.get_closest_marker, DEAR))


def is_cheap(item: pytest.Item) -> bool:
    return not is_dear(item)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["shares"] = session.config.stash.get(SHARES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    shares = getattr(node, "workeroutput", {}).get("shares", [])
    node.config.stash[SHARES] = shares or node.config.stash.get(SHARES, [])  # type: ignore[attr-defined]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.get(SHARES, []):
        terminalreporter.write_line(f"ran a share of {line}")


# --- what the lane `fast` does not start ---------------------------------------------------------

REFUSAL = """\
import os, sys


def ancestors(pid):
    while pid > 1:
        yield pid
        with open(f"/proc/{{pid}}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])


os.write(2, b"the lane `fast` starts no {what}: mark this test `{marker}`\\n")
with open({started!r}, "a") as file:
    print("{what}", *ancestors(os.getpid()), file=file)
os._exit(97)
"""
"""Ends the process, so that no test can take it for a torch that is missing."""


class Wire:
    """A directory with a `torch` and a `docker` that end their process and leave a line.

    Attributes:
        packages: a directory for `sys.path`, before that of the real torch.
        commands: a directory for PATH.
        started: the file that gets a line for each process that came there: what it wanted, and
            the numbers of the process and of its ancestors.
    """

    def __init__(self, place: Path) -> None:
        self.packages = place / "packages"
        self.commands = place / "commands"
        self.started = place / "started"

    def set_up(self) -> None:
        """Write the files."""
        started = str(self.started)
        self.started.touch()
        torch = self.packages / "torch/__init__.py"
        torch.parent.mkdir(parents=True)
        torch.write_text(
            REFUSAL.format(what="process that imports torch", marker="torch", started=started)
        )
        self.commands.mkdir()
        docker = self.commands / "docker"
        script = REFUSAL.format(what="container", marker="image", started=started)
        docker.write_text(f"#!{sys.executable} -IS\n{script}")
        docker.chmod(0o755)

    def tripped_below(self, pid: int) -> list[str]:
        """What descendants of a process wanted, or the process itself."""
        lines = (line.split() for line in self.started.read_text().splitlines())
        return [" ".join(words) for words in lines if str(pid) in words]


class NoTorch:
    """Keeps pytest's own process from importing torch.

    A file of tests that imports torch is left out as a whole; a test that does so fails.
    """

    collecting = True

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torch":
            return None
        if self.collecting:
            pytest.skip("imports torch", allow_module_level=True)
        pytest.fail("the lane `fast` imports no torch: mark this test `torch`", pytrace=False)


class Tripwire:
    """Puts the wire where the processes of the tests find it, and fails the test that trips it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.seen = 0
        self.no_torch = NoTorch()
        interpreters.before_packages.append(wire.packages)
        sys.meta_path.insert(0, self.no_torch)
        for name, first in (("PYTHONPATH", wire.packages), ("PATH", wire.commands)):
            os.environ[name] = os.pathsep.join(filter(None, [str(first), os.environ.get(name)]))

    def pytest_collection_finish(self) -> None:
        self.no_torch.collecting = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        try:
            yield
        finally:
            self.check()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        try:
            yield
        finally:
            self.check()

    def check(self) -> None:
        tripped = self.wire.tripped_below(os.getpid())
        new, self.seen = tripped[self.seen :], len(tripped)
        if new:
            pytest.fail("the lane `fast` starts none of these:\n" + "\n".join(new), pytrace=False)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What no test was failed for: a process that its parent left behind."""
        if self.wire.started.read_text() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
