# SPDX-License-Identifier: Apache-2.0
"""How a process is refused: the error lines, and the exit that keeps user code from running."""

import os
import sys

from seed_init.hook import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

EX_CONFIG = 78
"""Exit status of a refusal: "configuration error" in sysexits.h."""


class Refusal(Exception):
    """A setting that is not in the contract. Its text is one line for the user."""


def end(error: BaseException) -> "NoReturn":
    """End this process: one line on stderr, exit status 78, nothing else.

    `os._exit`, because an exception would let user code run unseeded, with exit status 0, and
    SystemExit makes `site` print a traceback and exit 1 (Lib/site.py, Python/pylifecycle.c).

    Where Ctrl-C came before user code began, nothing went wrong: it dies of SIGINT, as Python does.

    Args:
        error: a Refusal, or anything else that went wrong while seeding.
    """
    if isinstance(error, KeyboardInterrupt):
        _die_of_sigint()
    line = str(error)
    if not isinstance(error, Refusal):
        line = (
            f"seeding failed with {type(error).__name__}: {shown(line, 300)}; "
            "set SEED_INIT=0 to run without seeding"
        )
    try:
        from seed_init.system.terminal import one_line

        text = f"seed_init: {one_line(line)}\n"
        _flush_users_output()
        os.write(_true_stderr(text), text.encode("ascii", "backslashreplace"))
    finally:
        os._exit(EX_CONFIG)


def _die_of_sigint() -> "NoReturn":
    """End this process by the signal itself, so that a shell or a launcher sees what it was."""
    import _signal

    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGINT})
    os.kill(os.getpid(), _signal.SIGINT)
    os._exit(128 + _signal.SIGINT)  # where the kernel does not end it: the first of a container


def _true_stderr(text: str) -> int:
    """Return the file descriptor of stderr that outlives this process.

    A kernel's descriptor 2 is a pipe to a thread of its own, which ends with it; it keeps the true
    one (ipykernel/iostream.py, OutStream). The text goes to its page as well, if there is time.
    """
    kept = getattr(sys.stderr, "_original_stdstream_copy", None)
    if not isinstance(kept, int):
        return 2
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:
        return kept
    return kept


def _flush_users_output() -> None:
    """Flush what the program has printed so far: `os._exit` would lose the user's output."""
    if state.is_forked:
        return  # what is buffered is the parent's, which prints it itself
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except Exception:
            continue  # closed, None, or a program's own object


def not_accepted(name: str, value: str, words: tuple[str, ...]) -> Refusal:
    """The refusal of a value that is none of the accepted words."""
    return Refusal(f"{name}={shown(value)} is not accepted; use {listed(words)}")


def unreadable(path: str, error: OSError) -> Refusal:
    """The refusal of a defaults file that is there but cannot be read."""
    return Refusal(f"cannot read {path}: {error.strerror}; repair or remove it")


def bad_line(path: str, number: int, line: str, error: Exception) -> Refusal:
    """The refusal of a line of the defaults file.

    Args:
        path: the file.
        number: the line's number, from 1.
        line: its text.
        error: a Refusal of the value, or what went wrong with NAME=VALUE.
    """
    if isinstance(error, Refusal):
        return Refusal(f"{path}, line {number}: {error}")
    return Refusal(
        f"{path}, line {number}: {shown(line)} is not accepted; "
        "use NAME=VALUE with a name from docs/reference/variables.md"
    )


def shown(value: str, most: int = 40) -> str:
    """`value` quoted for an error line: ASCII only, and short however long it is."""
    if len(value) > most:
        return f"{value[:most]!a}... ({len(value)} characters)"
    return ascii(value)


def listed(words: tuple[str, ...]) -> str:
    """Words as English: "0 or leave it unset", "0 or 1", "off, fast, warn or strict"."""
    if len(words) == 1:
        return f"{words[0]} or leave it unset"
    return f"{', '.join(words[:-1])} or {words[-1]}"
