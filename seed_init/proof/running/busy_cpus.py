# SPDX-License-Identifier: Apache-2.0
"""Keep every CPU busy beside a run, with one process each."""

import os
import subprocess
import sys
from types import TracebackType

from seed_init.proof.running import signals

# A busy process looks for its parent, because a parent that was killed can end nobody. The kernel's
# own signal (PR_SET_PDEATHSIG) comes at the end of the thread that started the process, which may
# be earlier than the end of the parent.
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
        processes: the busy processes.
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
        # Out of reach of the terminal's Ctrl-C, which would end the load before the run.
        start_new_session=True,
    )


def cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
