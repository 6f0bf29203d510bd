"""Wait for something that another process does."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(what: str, ask: Callable[[], Result | None], seconds: float = 60.0) -> Result:
    """Ask until the answer is true, and return it.

    Args:
        what: is awaited, for the message of the test that fails.
        ask: gives the answer.
        seconds: after which the test fails.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
