# SPDX-License-Identifier: Apache-2.0
"""Show on one line of a terminal what is being done; show nothing if stderr is no terminal."""

import shutil
import sys
import time

from seed_init.system.terminal import one_line

INTERVAL = 0.2
"""Seconds between two changes of the line."""

MARKS = "|/-\\"


class Line:
    """A line of progress, as a context manager: the line disappears at the end of the block."""

    def __init__(self) -> None:
        self.shown = sys.stderr is not None and sys.stderr.isatty()
        self._next = 0.0
        self._turn = 0

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __call__(self, text: str) -> None:
        """Show what is being done."""
        now = time.monotonic()
        if not self.shown or now < self._next:
            return
        self._next, self._turn = now + INTERVAL, self._turn + 1
        width = shutil.get_terminal_size().columns
        line = f"{MARKS[self._turn % len(MARKS)]} {one_line(text)}"
        sys.stderr.write(f"\r\x1b[2K{line[: width - 1]}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self.shown and self._turn:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
