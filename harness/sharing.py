"""What is expensive is made once for all of pytest's processes."""

import fcntl
import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest

waited = 0.0
"""Seconds that the present test has waited for what another one was making."""


def wait_for(lock: TextIO) -> None:
    """Take the lock of an open file; the time until it is free is none of the test's."""
    global waited
    began = time.monotonic()
    fcntl.flock(lock, fcntl.LOCK_EX)
    waited += time.monotonic() - began


def once(kept: Path, make: Callable[..., Any], *arguments: Any) -> Any:
    """What `make(*arguments)` returned when it was first asked for: for runs that take seconds.

    Where it failed, every test that asks for it fails, and nothing is made again.

    Args:
        kept: the directory of the fixture of that name, which pytest's processes share.
        make: gives something that JSON can hold.
        arguments: told apart by their repr.
    """
    key = repr((make.__module__, make.__qualname__, arguments))
    file = kept / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    with file.with_suffix(".lock").open("w") as lock:
        wait_for(lock)
        if not file.exists():
            try:
                result = {"made": make(*arguments)}
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                result = {"failed": f"{type(error).__name__}: {error}"}
            file.with_suffix(".new").write_text(json.dumps(result))
            file.with_suffix(".new").replace(file)
    result = json.loads(file.read_text())
    if "failed" in result:
        pytest.fail(f"{make.__qualname__}: {result['failed']}", pytrace=False)
    return result["made"]
