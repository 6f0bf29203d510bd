"""What holds for every test."""

import pytest

BASE_USED = "container tests use"
"""The property in which the container tests name their base (tests/image/conftest.py)."""

EXCEPTION = "documented exception"
"""The property in which a program that no seed makes repeatable is named (tests/programs)."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which base was used, without which no result means much, and what was let off."""
    told = {
        (name, value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name in (BASE_USED, EXCEPTION)
    }
    for name, value in sorted(told):
        terminalreporter.write_line(f"{name} {value}")
