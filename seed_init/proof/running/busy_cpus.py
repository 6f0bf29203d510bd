# SPDX-License-Identifier: Apache-2.0
"""Busy processes beside a run, one per CPU."""

import os
import subprocess
import sys
from types import TracebackType

from seed_init.proof.running import signals

# It looks for its parent, because a parent that was killed can end nobody. The kernel's own
# signal for that (PR_SET_PDEATHSIG) is bound to the thread that started it, not to the process.
_BUSY = """
import os, sys
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


class Load:
    """A context in which every CPU that this process may use has a busy process.

    Attributes:
        processes: they.
    """

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Load":
        try:
            with signals.held():
                for _ in range(cpus()):
                    self.processes.append(_start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        with signals.held():
            for process in self.processes:
                process.kill()
            for process in self.processes:
                process.wait()


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BUSY, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Out of reach of the terminal's Ctrl-C, which would end it before the run.
        start_new_session=True,
    )


def cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
