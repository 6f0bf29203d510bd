# SPDX-License-Identifier: Apache-2.0
"""This module writes which lines of user code draw from a global generator.

While the window is open, the positions of the generators before and after each line of user code
are compared. So each draw is seen, whichever function made it, also in compiled code.
"""

import sys
from typing import Any

from seed_init.proof.observer import core, user_code
from seed_init.proof.observer.closely import state
from seed_init.proof.observer.tensors import generators

MOST = 300_000
"""Lines that are looked at, at some 50 microseconds each."""

_before: dict[str, str] = {}
_last: Any = None
_seen = 0


def start() -> None:
    """Look while the window is open."""
    state.during(_begin, _end)


def _begin() -> None:
    global _before
    if sys.gettrace() is not None:
        core.journal.write("failed", what="draws were not located: a debugger traces the lines")
        return
    _before = generators.positions()
    frame = sys._getframe()
    # Functions that are running already are traced through their frames.
    above: Any = frame
    while above is not None:
        if user_code.is_user_frame(above):
            above.f_trace = _line
        above = above.f_back
    _remember(user_code.user_frame(frame))
    sys.settrace(_call)


def _end() -> None:
    if sys.gettrace() is _call:
        sys.settrace(None)
        _write_draws()


def _call(frame: Any, event: str, argument: Any) -> Any:
    # Called for each call of any function, of which an import makes millions.
    if user_code.known_files.get(frame.f_code.co_filename) is False:
        return None
    if not user_code.is_user_frame(frame):
        return None
    _line(frame, event, argument)
    return _line


def _line(frame: Any, event: str, argument: Any) -> Any:
    if sys.gettrace() is not _call or core.here.observing:
        return None
    core.here.observing = True
    try:
        _write_draws()
        # What runs after a return is the rest of the caller's line.
        _remember(user_code.user_frame(frame.f_back) if event == "return" else frame)
    except Exception as error:
        sys.settrace(None)
        core.report_failure("draws", error)
    finally:
        core.here.observing = False
    return _line


def _remember(frame: Any) -> None:
    global _last
    _last = user_code.source(frame)


def _write_draws() -> None:
    global _before, _seen
    _seen += 1
    if _seen > MOST:
        sys.settrace(None)
        core.journal.write("failed", what=f"draws were located in the first {MOST} lines only")
        return
    now = generators.positions()
    if now != _before:
        for name, position in now.items():
            # A library that has just been imported has not drawn.
            if name in _before and position != _before[name]:
                state.write("draw", generator=name, position=position, **_last)
        _before = now
