"""Go through the table of checks within the time, and say each as it ends."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu import judging
from benchmarks.gpu.checks import Check
from benchmarks.gpu.judging import FAIL, NOT_RUN, Outcome
from benchmarks.gpu.room import Room

AT_ONCE = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Checks that run beside each other: they share the device, and none of them measures time."""


@dataclass(frozen=True)
class Line:
    """What the run says of a check.

    Attributes:
        check: its name.
        outcome: what it found.
        seconds: how long it took.
        at: seconds since the run began.
    """

    check: str
    outcome: Outcome
    seconds: float
    at: float

    def text(self) -> str:
        one = self.outcome
        return f"{self.at:5.0f} s  {one.verdict:<7}  {self.check:<24} {one.detail}"

    def to_json(self) -> dict[str, Any]:
        told = {name: value for name, value in self.outcome.told.items() if name != "cost"}
        return {
            **{"check": self.check, "verdict": self.outcome.verdict},
            **{"seconds": round(self.seconds, 1), "detail": self.outcome.detail, "told": told},
        }


def run(room: Room, checks: Sequence[Check], say: Callable[[Line], None]) -> list[Line]:
    """Run the checks in their order; neighbours that do not measure time run at once.

    Args:
        room: where.
        checks: the table.
        say: told each line as it is known, one at a time.

    Returns:
        The lines in the order of the table.
    """
    lock = threading.Lock()
    lines: dict[str, Line] = {}

    def tell(line: Line) -> None:
        with lock:
            lines[line.check] = line
            say(line)

    for group in grouped(checks):
        if len(group) == 1:
            tell(one(room, group[0]))
            continue
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for done in as_completed([pool.submit(one, room, check) for check in group]):
                    tell(done.result())
            except BaseException:
                room.stop()  # the pool waits for what it runs
                raise
    return [lines[check.name] for check in checks]


def grouped(checks: Iterable[Check]) -> Iterator[list[Check]]:
    """Neighbours that may run at once, together; each other check by itself."""
    for alone, group in itertools.groupby(checks, lambda check: check.alone):
        if alone:
            yield from ([check] for check in group)
        else:
            yield list(group)


def one(room: Room, check: Check) -> Line:
    """Run a check, if there is time for it."""
    start = time.monotonic()
    left = room.left()
    if left < check.seconds:
        outcome = Outcome(
            NOT_RUN, f"{max(0.0, left):.0f} s were left, and it takes about {check.seconds:.0f}"
        )
    else:
        try:
            outcome = check.ask(room)
        except Exception as error:  # the other checks have their own answers to give
            outcome = Outcome(
                FAIL, f"the check itself: {type(error).__name__}: {error}", broken=True
            )
    if room.rehearsal:
        outcome = judging.rehearsed(outcome, check.answer)
    return Line(check.name, outcome, time.monotonic() - start, room.passed())
