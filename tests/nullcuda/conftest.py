"""The interpreters of the hook's tests, and the CUDA runtime that computes nothing."""

import fcntl
import sysconfig
from pathlib import Path

import pytest
from hook.conftest import bare, fresh, kept, prefixes, python

from .running import NullCuda, build

__all__ = ["bare", "fresh", "kept", "prefixes", "python"]


@pytest.fixture(scope="session")
def null_cuda(prefixes: Path) -> NullCuda:
    """The runtime, built once for all of pytest's processes."""
    place = prefixes.parent / "null-cuda"
    include = Path(sysconfig.get_path("purelib"), "nvidia/cuda_runtime/include")
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return NullCuda(place) if place.exists() else build(place, include)
