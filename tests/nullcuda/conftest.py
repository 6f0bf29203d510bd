"""The interpreters of the hook's tests, and the CUDA runtime that computes nothing."""

import fcntl
import os
from pathlib import Path

import pytest

from .running import CannotBuild, NullCuda, build, cpu_only


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip where torch is one for the CPU: from this one line, so that pytest tells it once.

    A compiler or headers that are missing are a failure (`build`).
    """
    reason = cpu_only()
    if reason and os.environ.get("SEED_INIT_REQUIRE_NULL_CUDA") == "1":
        pytest.fail(f"{reason}; SEED_INIT_REQUIRE_NULL_CUDA=1 wants it here", pytrace=False)
    if reason:
        pytest.skip(reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this directory: they are of no use without torch."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("torch")


@pytest.fixture(scope="session")
def null_cuda(prefixes: Path) -> NullCuda:
    """The runtime, built once for all of pytest's processes."""
    place = prefixes.parent / "null-cuda"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / "run").exists():
            return NullCuda(place)
        try:
            return build(place)
        except CannotBuild as why:
            # Not a skip: a machine that lacks the compiler would never know.
            pytest.fail(f"the null CUDA runtime cannot be built: {why}", pytrace=False)
