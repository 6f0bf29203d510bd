# SPDX-License-Identifier: Apache-2.0
"""If a signal ends `seed-init`, end the user's command first, and clean up."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """A signal asked this process to end. If nobody catches this, the status is that of shells.

    Attributes:
        signal: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = number


_asked: int | None = None
"""The signal that came, while `ending_on_signals` is in effect."""

_active = False
_held = 0
"""How many blocks of `held` the main thread is in: none of them may be left halfway."""


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Within this block SIGINT, SIGTERM and SIGHUP raise `Ended` in the main thread.

    Runs in other threads end as well. If SIGINT raised KeyboardInterrupt before, it still does. A
    signal that is ignored (nohup) stays ignored. In a thread that is not the main one, which cannot
    handle signals, and within another such block, this block does nothing.
    """
    global _active, _asked
    if _active or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    keyboard = before[signal.SIGINT] is signal.default_int_handler

    def came(number: int, frame: FrameType | None) -> None:
        global _asked
        if _asked is None:  # a second signal must not stop the cleaning up
            _asked = number
            if not _held:
                _raise(number, keyboard)

    _active, _asked = True, None
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, came)
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: something that is not Python has set this handler, and Python cannot restore it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        _active, _asked = False, None


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Within this block no signal interrupts the main thread: it waits for the block's end."""
    global _held
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = _asked
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if not _held and asked is None and _asked is not None:
        _raise(_asked, signal.getsignal(signal.SIGINT) is signal.default_int_handler)


def check() -> None:
    """Raise `Ended` if a signal came. Threads that no signal interrupts ask by this function."""
    if _asked is not None:
        raise Ended(_asked)


def _raise(number: int, keyboard: bool) -> Any:
    if number == signal.SIGINT and keyboard:
        raise KeyboardInterrupt
    raise Ended(number)
