"""The interpreters of the hook's tests, with torch wherever it is; and whether there is a GPU."""

import fcntl
import os
from pathlib import Path

import pytest

from .running import no_gpu, packages


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none: from this one line, so that pytest tells it once.

    A skip in a fixture would be told for each test that uses it.
    """
    if item.get_closest_marker("gpu") is None:
        return
    reason = no_gpu()
    if reason and os.environ.get("SEED_INIT_REQUIRE_GPU") == "1":
        pytest.fail(f"{reason}; SEED_INIT_REQUIRE_GPU=1 wants these tests run", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def python(prefixes: Path) -> Path:
    """A base interpreter with the hook, and with torch wherever it is installed."""
    return with_packages(prefixes / "hooked/bin/python3")


@pytest.fixture(scope="session")
def bare(prefixes: Path) -> Path:
    """The same without the hook."""
    return with_packages(prefixes / "bare/bin/python3")


def with_packages(python: Path) -> Path:
    """Let a private interpreter import from all of `packages`.

    `see_packages` has written down one directory; in a virtual environment over a system's or a
    container's torch there are several.
    """
    prefix = python.parent.parent
    [place] = prefix.glob("lib/python3*/site-packages")
    # Not in the prefix: a file that appears in a directory of packages moves the objects of
    # programs that are compared meanwhile, because the import system holds its listing.
    with prefix.with_name(f"{prefix.name}-packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = "".join(f"{each}\n" for each in packages())
        file = place / "packages.pth"
        if file.read_text() != wanted:
            # Other copies of the interpreter share the file by hard links: it is replaced.
            file.with_suffix(".new").write_text(wanted)
            file.with_suffix(".new").replace(file)
    return python
