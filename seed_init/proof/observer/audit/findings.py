# SPDX-License-Identifier: Apache-2.0
"""This module counts findings by source line, and writes the counts.

A count is written when something is found at a line first, then whenever the count has doubled, and
at the end, so that a process which is killed loses few. A reader takes the last count of a line.
`os._exit` ends forked workers, past every exit function, so `os._exit` is one of the ends.
"""

import os
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.audit import sources
from seed_init.proof.observer.audit.sources import Spot

PLACES_MAX = 5000
"""Places that are noted; a program that generates its code could have any number."""

Key = tuple[str, str, str, str, int]


class _Entry:
    """A finding of this process, and how often it was found."""

    __slots__ = ("_numbers", "count", "fields", "written")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self._numbers: Iterator[int] = count(1)
        self.count = 0
        self.written = 0

    def add(self) -> None:
        # One step under the interpreter's lock: several threads may be here.
        self.count = next(self._numbers)
        if self.count >= 2 * self.written:
            self.write()

    def write(self) -> None:
        if self.count > self.written:
            self.written = self.count
            _write("finding", **self.fields, count=self.count)


_entries: dict[Key, _Entry] = {}


def start() -> None:
    """Write the counts at every end that Python sees, and let a forked child count anew."""
    os.register_at_fork(after_in_child=_entries.clear)
    callbacks.at_end(flush)
    leave: Callable[[int], Any] = os._exit

    @callers.like(leave)
    def _exit(status: int) -> None:
        flush()
        leave(status)

    os._exit = _exit


@core.guarded
def note(kind: str, what: str, spot: Spot, detail: str = "") -> None:
    """Count a finding once more.

    Args:
        kind: of finding.
        what: was called or set.
        spot: where in the user's code.
        detail: a few words more; another text is another finding.
    """
    key = kind, what, detail, spot[0].co_filename, spot[1]
    entry = _entries.get(key)
    if entry is None:
        if len(_entries) >= PLACES_MAX:
            return
        fields = {"kind": kind, "what": what, "detail": detail, **sources.describe(spot)}
        entry = _entries.setdefault(key, _Entry(fields))
    entry.add()


@core.guarded
def not_seen(what: str) -> None:
    """Write that something cannot be watched in this process.

    Args:
        what: one line for the user.
    """
    _write("unseen", what=what)


@core.guarded
def flush() -> None:
    """Write each count that is not written yet, and that this process was watched to its end."""
    for entry in list(_entries.values()):
        entry.write()
    _write("audited")


def _write(event: str, **fields: Any) -> None:
    # A process may outlive the command, as the compile workers of PyTorch do, and the trace.
    if core.journal.directory.is_dir():
        core.journal.write(event, **fields)
