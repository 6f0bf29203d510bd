# SPDX-License-Identifier: Apache-2.0
"""This module makes the first process of a run the owner of its record (SEED_INIT_RECORD).

All processes of the run write to the same parts (`record_parts`). The owner assembles the record
when it exits, and when SIGTERM ends it. After a SIGKILL the parts are left, which `seed-init
compare` and `report` read.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seed_init.hook import say, state
from seed_init.hook.refusals import Refusal, shown
from seed_init.proof.trace import data_files, journal, record_parts, records


class Owner:
    """The process that owns the record of its run, and writes it at its end.

    Args:
        record: the file that is wanted.
        parts: the trace directory of the run.
    """

    def __init__(self, record: Path, parts: Path) -> None:
        self.record, self.parts = record, parts
        self.pid = os.getpid()

    def finish(self, signal_number: int | None = None) -> None:
        """Write the record and remove its parts. Says so, or that it could not, and never raises.

        Args:
            signal_number: what ends this process; None for its own exit.
        """
        if os.getpid() != self.pid:
            return  # a copy of us that was forked and has exited
        try:
            where = records.write_new(self.record, self._assembled(signal_number))
        except Exception as error:
            say(
                f"the run record is not written ({type(error).__name__}: {error}); "
                f"its parts are in {self.parts}"
            )
            return
        self.pid = 0
        if _is_ours(self.parts, self.record):
            record_parts.remove(self.parts)
        taken = "" if where == self.record else f" ({self.record.name} is there already)"
        say(f"run record: {where}{taken}")

    def _assembled(self, signal_number: int | None) -> dict[str, Any]:
        how, status = "exit", None
        # SystemExit leaves no trace, so of a normal end the status is not known in here.
        if signal_number is not None:
            how, status = "signal", 128 + signal_number
        elif isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):
            how, status = "signal", 128 + signal.SIGINT
        elif getattr(sys, "last_value", None) is not None:
            how, status = "exception", 1
        options: dict[str, Any] = {}
        if signal_number is not None:
            options["budget"] = data_files.BUDGET_IN_A_HURRY
        return records.assemble(
            self.parts, ended=time.time(), status=status, how=how, here=True, **options
        )


def is_elsewhere() -> bool:
    """Return True where another process makes the record of this run."""
    recorder = os.environ.get(record_parts.RECORDER)
    return recorder is not None and recorder != str(os.getpid())


def begin(wanted: str, trace: str | None) -> Owner:
    """Make this process the owner of a record.

    Args:
        wanted: SEED_INIT_RECORD.
        trace: SEED_INIT_TRACE, a directory that the user wants to keep; None: parts of our own.

    Raises:
        Refusal: it cannot be written there.
    """
    try:
        record = _named(Path(wanted).absolute())
        # A program that replaces itself by another one with exec is that run's owner still.
        if os.environ.get(record_parts.RECORDER) == str(os.getpid()) and trace is not None:
            return Owner(record, Path(trace))
        parts = (
            record_parts.parts_of(record) if trace is None else _prepared(Path(trace).absolute())
        )
        # A directory of the user's may have former runs in it.
        before = [file.name for file in parts.glob("*.jsonl")]
        records.begin(parts, sys.orig_argv, "variable", before=before)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Refusal(
            f"SEED_INIT_RECORD={shown(wanted, 200)} cannot be used ({reason}); "
            "give a file in a directory that "
            "can be written, or unset it"
        ) from None
    os.environ["SEED_INIT_TRACE"] = str(parts)
    os.environ[record_parts.RECORDER] = str(os.getpid())
    return Owner(record, parts)


def _named(record: Path) -> Path:
    """Return the file of this rank: ranks that are started one by one have the same variable."""
    rank = state.rank()
    if rank is None or rank[1] == "1":
        return record
    return record.with_name(f"{record.stem}.rank{rank[0]}{record.suffix}")


def _prepared(trace: Path) -> Path:
    trace.mkdir(parents=True, exist_ok=True)
    if not (trace / "plan.json").exists():
        journal.write_plan(trace, records.PLAN)
    return trace


def _is_ours(parts: Path, record: Path) -> bool:
    """Return True for a directory that `record_parts.parts_of` made."""
    return parts.suffix == ".parts" and parts.parent == record.parent


def at_sigterm(finish: "Callable[[int], None]") -> None:
    """Call a function when SIGTERM is about to end this process, and then let SIGTERM end it.

    This holds only where SIGTERM would end the program: a handler of the program's own decides by
    itself, and replaces ours when it is set.

    Args:
        finish: called with the signal's number.
    """
    is_main_thread = threading.current_thread() is threading.main_thread()
    if not is_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def handler(number: int, frame: Any) -> None:
        # A second one must not begin all over again in the middle of the first.
        signal.signal(number, signal.SIG_IGN)
        try:
            finish(number)
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def forget() -> None:
        # Python runs a handler between two instructions of its own: a worker that is busy in C
        # would not end when it is told to.
        if signal.getsignal(signal.SIGTERM) is handler:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, handler)
    os.register_at_fork(after_in_child=forget)
