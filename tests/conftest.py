"""What holds for every test."""

import os
import threading
from pathlib import Path

import pytest

BASE_USED = "container tests use"
"""The property in which the container tests name their base (tests/image/conftest.py)."""

EXCEPTION = "documented exception"
"""The property in which a program that no seed makes repeatable is named (tests/programs)."""


@pytest.fixture(scope="session", autouse=True)
def images_ahead(request: pytest.FixtureRequest, kept: Path) -> None:
    """Have one of pytest's processes build the images beside the first tests."""
    first = os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
    if first and any(item.get_closest_marker("image") for item in request.session.items):
        from building import make_ahead  # tests/image, which is on the path with its tests

        threading.Thread(target=make_ahead, args=(kept,), daemon=True).start()


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
