"""The slowest tests and what each folder takes beside its budget, at the end of a run of a lane.

Seconds are those that pytest measures: setting a test up, running it, and taking it down, on the
machine of the run, without the time in which a test waits for something that another one is making
(`harness.sharing`). They add up over pytest's processes: with two, a run takes half of the sum.
"""

from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from harness import sharing
from harness.budgets import BUDGETS, Budget

SHOWN = 30


@dataclass(frozen=True)
class Row:
    """What one folder took, in seconds."""

    folder: str
    tests: int
    seconds: float
    budget: float | None

    @property
    def is_over(self) -> bool:
        """A folder without a budget is over it: otherwise nobody would give it one."""
        return self.budget is None or self.seconds > self.budget


class Durations:
    """Adds up what pytest reports."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, test: str, seconds: float) -> None:
        self.seconds[test] += seconds

    def slowest(self) -> list[tuple[str, float]]:
        return dearest(self.seconds)[:SHOWN]

    def folders(self, budgets: Mapping[str, Budget], lane: str) -> list[Row]:
        """A row for each folder, the one that took most first."""
        tests: Counter[str] = Counter()
        seconds: defaultdict[str, float] = defaultdict(float)
        for test, took in self.seconds.items():
            folder = test.partition("::")[0].rpartition("/")[0]
            tests[folder] += 1
            seconds[folder] += took
        return [
            Row(folder, tests[folder], took, getattr(budgets.get(folder), lane, None))
            for folder, took in dearest(seconds)
        ]


def dearest(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda each: -each[1])


def table(rows: Iterable[Row]) -> list[str]:
    """What is printed of the folders."""
    lines = [f"{'folder':<24}{'tests':>6}{'seconds':>9}{'budget':>8}"]
    for row in rows:
        budget = "none" if row.budget is None else f"{row.budget:.0f}"
        over = "  over" if row.is_over else ""
        lines.append(f"{row.folder:<24}{row.tests:>6}{row.seconds:>9.0f}{budget:>8}{over}")
    return lines


# --- as a plugin of pytest ----------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.lane and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Told(config.option.lane), "durations")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    report.__dict__["waited"], sharing.waited = sharing.waited, 0.0
    return report


class Told:
    """Prints the tables, and fails a run of the lane `all` that is over a budget."""

    def __init__(self, lane: str) -> None:
        self.lane = lane
        self.durations = Durations()

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.durations.add(report.nodeid, report.duration - getattr(report, "waited", 0.0))

    def rows(self) -> list[Row]:
        return self.durations.folders(BUDGETS, self.lane)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        over = any(row.is_over for row in self.rows())
        if over and self.lane == "all" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(f"the slowest {SHOWN} tests, in seconds")
        for test, seconds in self.durations.slowest():
            terminalreporter.write_line(f"{seconds:7.1f}  {test}")
        terminalreporter.section("seconds by folder")
        rows = self.rows()
        for line in table(rows):
            terminalreporter.write_line(line)
        if any(row.is_over for row in rows):
            fails = "which fails" if self.lane == "all" else "which fails `make test-all` alone"
            terminalreporter.write_line(f"over budget (harness/budgets.py), {fails}")
