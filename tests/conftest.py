"""What holds for every test."""

import pytest

BASE_USED = "container tests use"
"""The property in which the container tests name their base (tests/image/conftest.py)."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which base was used; no test result means much without it."""
    used = {
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == BASE_USED
    }
    for image in sorted(used):
        terminalreporter.write_line(f"{BASE_USED} {image}")
