# SPDX-License-Identifier: Apache-2.0
"""This module holds whether the window of the closer look is open, and writes its events.

The instrument `window` opens and closes the window; the parts of the closer look (`batches`,
`draws`, `modules`, `operators`) ask here and write here.
"""

from collections.abc import Callable
from typing import Any

from seed_init.proof.observer import core

MOST = 200_000
"""Events that are written: a first step may come after hours of preparation."""

is_open = False

backward_from: dict[str, Any] = {}
"""File, line and function of the call of backward() that is running."""

_when_opened: "list[Callable[[], None]]" = []
_when_closed: "list[Callable[[], None]]" = []
_written = 0


def during(opened: "Callable[[], None]", closed: "Callable[[], None]") -> None:
    """Register what is to be done when the window opens and closes.

    Args:
        opened: called when the window opens; called at once where the window is open already.
        closed: called when the window closes; what was registered last is called first.
    """
    _when_opened.append(core.guarded(opened))
    _when_closed.append(core.guarded(closed))
    if is_open:
        _when_opened[-1]()


def open_window() -> None:
    """Open the window: `write` writes from now on."""
    global is_open
    is_open = True
    for function in _when_opened:
        function()


def close_window() -> None:
    """Close the window. Nothing is written for a window that is closed already."""
    global is_open
    for function in reversed(_when_closed):
        function()
    if is_open:
        is_open = False
        core.journal.write("closed")


def write(event: str, **fields: Any) -> None:
    """Write an event while the window is open. After `MOST` events the window is closed.

    Args:
        event: the kind of event.
        fields: what the event says.
    """
    global _written
    if not is_open:
        return
    _written += 1
    if _written > MOST:
        core.journal.write("failed", what=f"only the first {MOST} events of the step were seen")
        close_window()
        return
    core.journal.write(event, fine=True, **fields)
