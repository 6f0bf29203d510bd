"""The lanes of the tests: `make test-fast`, `make test` and `make test-all`, as a plugin of pytest.

    fast   no process that imports torch, no container, nothing that is marked `slow`
    test   everything, but of each catalogue only a share, another one at each commit
    all    everything

A catalogue is what is marked `rotating`: a test with many cases that each prove the same thing on
other material. Of `rotating(every=4)`, each case runs at every fourth commit. Which share runs is
the number of the commit: how many there are before it, as `git log --first-parent` counts, so that
four commits that follow each other run every case. Where git does not have the whole history, the
commit's hash takes the place of its number, and where there is no git, the number is 0.
`--rotation=N` gives another number.

Without `--lane`, pytest runs what it is asked for, and prints no tables.

The lane `fast` is held to what it says (`Wire`): there `torch` and `docker` are a module and a
program that end their process and name the test.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from harness import interpreters

LANES = ("fast", "test", "all")
NOT_FAST = ("torch", "image", "gpu", "slow")
"""The markers of what the lane `fast` leaves out."""

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
    if option.lane == "test" and option.rotation is None:
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
        return f"lane fast: nothing that is marked {', '.join(NOT_FAST)}"
    if lane == "test":
        return f"lane test: of each catalogue a share, by commit {rotation}; --lane=all runs all"
    return f"lane {lane}" if lane else None


@pytest.hookimpl(trylast=True)  # conftests add markers before
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lane = config.option.lane
    if lane == "fast":
        left_out = [item for item in items if any(map(item.get_closest_marker, NOT_FAST))]
    elif lane == "test":
        shares = Shares(config.option.rotation)
        left_out = [item for item in items if not shares.has(item)]
        config.stash[SHARES] = shares.told()
    else:
        return
    if left_out:
        kept = set(items) - set(left_out)
        items[:] = [item for item in items if item in kept]
        config.hook.pytest_deselected(items=left_out)


SHARES = pytest.StashKey[list[str]]()


class Shares:
    """Which cases of the catalogues run. A catalogue is one file's cases of one period."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cases: defaultdict[tuple[str, int], list[bool]] = defaultdict(list)

    def has(self, item: pytest.Item) -> bool:
        """Whether a test runs: always where it is in no catalogue."""
        marker = item.get_closest_marker("rotating")
        if marker is None:
            return True
        every: int = marker.kwargs["every"]
        cases = self.cases[item.nodeid.partition("::")[0], every]
        cases.append(len(cases) % every == self.number % every)
        return cases[-1]

    def told(self) -> list[str]:
        """A line for each catalogue."""
        return [
            f"{file}: {sum(cases)} of {len(cases)} (share {self.number % every + 1} of {every})"
            for (file, every), cases in self.cases.items()
        ]


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
