# SPDX-License-Identifier: Apache-2.0
"""A signal's handler may raise in the middle of what the hook does. That is no failure of ours."""

import _signal
import sys
import time
from _thread import get_ident, start_new_thread

from seed_init.hook import startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def end_or_finish(
    error: BaseException, module: str, function: str, arguments: tuple[object, ...]
) -> None:
    """End the process where a function of ours failed; finish it where a signal interrupted it.

    Then the signal is delivered once more, after the import or the fork: what its handler raises
    reaches the user's code there. Here it could not: what is raised around a fork is ignored, and
    an import that fails would not be seeded.

    Args:
        error: what was raised.
        module: of the package.
        function: in it; it can be called twice.
        arguments: what it was called with.
    """
    number = signal_behind(error)
    if number is None or _is_starting():
        return startup.end(error)
    try:
        # Not from sys.modules: the signal may have come while the module was being loaded.
        getattr(startup.part(module), function)(*arguments)
    except BaseException as second:
        return startup.end(second)
    # Handlers run in the main thread only, so this is it.
    start_new_thread(_deliver, (get_ident(), number))
    return None


def _is_starting() -> bool:
    """True before user code: `site`, which starts the hook, is itself being imported."""
    spec = getattr(sys.modules.get("site"), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


DELAY = 0.01
"""Seconds until a signal is delivered again. At once, it would arrive before we have returned."""


def _deliver(thread: int, number: int) -> None:
    time.sleep(DELAY)
    _signal.pthread_kill(thread, number)


def signal_behind(error: BaseException) -> int | None:
    """The signal whose handler raised `error`; None if none did."""
    handlers = {_code(_signal.getsignal(number)): number for number in _signal.valid_signals()}
    frames: TracebackType | None = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_code in handlers:
            return int(handlers[frames.tb_frame.f_code])
        frames = frames.tb_next
    # Python's own handler of SIGINT is written in C and has no frame.
    return int(_signal.SIGINT) if isinstance(error, KeyboardInterrupt) else None


def _code(handler: object) -> object:
    """Return the code of a handler; None if the handler is no Python function or method."""
    return getattr(getattr(handler, "__func__", handler), "__code__", None)
