"""The lanes of the tests: `make test-fast`, `make test` and `make test-all`, as a plugin of pytest.

    fast   no process that imports torch, no container, nothing that is marked `slow`, and of each
           catalogue a share
    test   everything, but of each catalogue a share, another one at each commit
    all    everything

A catalogue has many cases that prove the same on other material. There are two kinds:

- What is marked `rotating(every=n)`, in one file: each case runs at every n-th commit.
- The cases of one parametrized test that is dear (`DEAR`), and of any one in the lane `fast`: each
  runs at every fourth commit, and one case at each commit where there are fewer than four. So every
  test runs at every commit. `rotating(every=1)` takes a test out of this: all of its cases run.

Which share runs is the number of the commit: how many there are before it, as
`git log --first-parent` counts, so that n commits that follow each other run every case. Where git
does not have the whole history, the commit's hash takes the place of its number, and where there is
no git, the number is 0. `--rotation=N` gives another number.

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
from collections.abc import Generator, Sequence
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

PERIOD = 4
"""Of how many commits one runs a case of a dear test."""

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
        return f"lane test: of each catalogue share {rotation}; make test-all runs all of them"
    return f"lane {lane}" if lane else None


@pytest.hookimpl(trylast=True)  # conftests add markers before
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane = config.option.lane
    if lane not in ("fast", "test"):
        return
    if lane == "fast":
        left_out = {item for item in items if any(map(item.get_closest_marker, NOT_FAST))}
    else:
        left_out = set()
    rest = [item for item in items if item not in left_out]
    catalogues = catalogues_of(rest, any_test=lane == "fast")
    for catalogue in catalogues:
        left_out.update(catalogue.left_out(config.option.rotation))
    config.stash[SHARES] = [each.told(config.option.rotation) for each in catalogues if each.named]
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    # Cheap tests last, so that both of pytest's processes are busy to the end.
    items[:] = sorted((item for item in items if item not in left_out), key=is_cheap)


SHARES = pytest.StashKey[list[str]]()


@dataclass
class Catalogue:
    """Cases of which a share runs.

    Attributes:
        name: what it is told by.
        every: the share: one case in so many.
        named: the end of a run tells how many of its cases have run.
        cases: in the order in which pytest has found them.
    """

    name: str
    every: int
    named: bool
    cases: list[pytest.Item] = field(default_factory=list)

    @property
    def first(self) -> int:
        """Shifts the shares, so that not every catalogue runs its first cases at once."""
        return zlib.crc32(self.name.encode())

    def runs(self, number: int) -> list[bool]:
        """For each case, whether it runs at the commit of this number."""
        every = self.every if self.named else min(self.every, len(self.cases))
        return [(place + self.first + number) % every == 0 for place in range(len(self.cases))]

    def left_out(self, number: int) -> list[pytest.Item]:
        return [case for case, runs in zip(self.cases, self.runs(number)) if not runs]

    def told(self, number: int) -> str:
        return f"{self.name}: {sum(self.runs(number))} of {len(self.cases)}"


def is_cheap(item: pytest.Item) -> bool:
    return not is_dear(item)


def is_dear(item: pytest.Item) -> bool:
    return any(map(item.get_closest_marker, DEAR))


def catalogues_of(items: list[pytest.Item], any_test: bool) -> list[Catalogue]:
    """The catalogues that some tests are cases of.

    Args:
        items: the tests.
        any_test: the cases of any parametrized test are a catalogue, and not of dear ones alone.
    """
    found: dict[str, Catalogue] = {}
    for item in items:
        marker = item.get_closest_marker("rotating")
        file, *_ = item.nodeid.partition("::")
        if marker:
            every: int = marker.kwargs["every"]
            catalogue = Catalogue(f"{file}, every {every}", every, named=True)
        elif hasattr(item, "callspec") and (any_test or is_dear(item)):
            catalogue = Catalogue(item.nodeid.partition("[")[0], PERIOD, named=False)
        else:
            continue
        found.setdefault(catalogue.name, catalogue).cases.append(item)
    return list(found.values())


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
        terminalreporter.write_line(f"catalogue {line}")


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
