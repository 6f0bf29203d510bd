# SPDX-License-Identifier: Apache-2.0
"""This module holds the plan and the journal of this process, and guards what the program calls."""

import traceback
from _thread import _local
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from seed_init.hook import say
from seed_init.proof.observer import user_code
from seed_init.proof.trace import journal as journals

Function = TypeVar("Function", bound=Callable[..., Any])

plan: dict[str, Any] = {}
"""What is observed in this process: `instruments`, names of modules there, and their options."""

journal: journals.Journal
"""Where this process writes its events."""


class _Here(_local):
    observing = False


here = _Here()
"""`observing` is True in a thread that runs an instrument: the program does nothing of that."""

_failed: set[str] = set()  # names of functions, and kinds of tensors that cannot be read


def begin(new_plan: dict[str, Any], new_journal: journals.Journal) -> None:
    """Set the plan and the journal of this process.

    Args:
        new_plan: what `plan.json` says.
        new_journal: where the events go.
    """
    global plan, journal
    plan, journal = new_plan, new_journal


def guarded(function: Function) -> Function:
    """Return the function in a guard that never raises.

    Where the function fails, the failure is reported, the function is never called again, and the
    program goes on.
    """

    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def safe(*arguments: Any, **keywords: Any) -> Any:
        if name in _failed:
            return None
        outer, here.observing = here.observing, True
        try:
            return function(*arguments, **keywords)
        except Exception as error:
            _failed.add(name)
            report_failure(name, error)
            return None
        finally:
            here.observing = outer

    safe._torchdynamo_disable = True  # type: ignore[attr-defined]
    return safe  # type: ignore[return-value]


def report_failure(what: str, error: Exception) -> None:
    """Say on stderr and in the trace that something of ours failed.

    Args:
        what: the subject of the sentence: a function of ours, or what that was doing.
        error: the exception.
    """
    # Only here: what hides secrets is loaded where something failed.
    from seed_init.proof.redaction.secret_texts import without_secrets

    line = f"{what} failed with {type(error).__name__}: {error}{_line_of_ours(error)}"
    line = without_secrets(line)
    say(f"observing is incomplete: {line}")
    with suppress(OSError):  # the trace directory is gone, or the disk full
        journal.write("failed", what=line)


def report_unreadable(tensor: Any, error: Exception) -> None:
    """Report that the contents of a tensor cannot be read, once for each kind of tensor.

    Args:
        tensor: the tensor.
        error: what reading it raised.
    """
    kind = [getattr(tensor, name, "?") for name in ("dtype", "layout", "device")]
    what = f"reading a {type(tensor).__name__} ({', '.join(map(str, kind))})"
    if what not in _failed:
        _failed.add(what)
        report_failure(what, error)


def _line_of_ours(error: Exception) -> str:
    """Return the innermost line of ours that an error came through: " (vectors.py, line 12)"."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if user_code.is_our_file(frame.filename)] or frames
    return f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""
