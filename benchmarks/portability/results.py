# SPDX-License-Identifier: Apache-2.0
"""The file of a run: a line of JSON for each case, so that a run can stop anywhere and go on."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

Digests = dict[str, str]
"""The digests of a case: the name of each part, "" where there is one, and the digest or
`error NAME`."""

ERROR = "error "
"""How the digest of a part begins that could not be computed; the kind of the exception follows."""

DIED = ERROR + "ProcessDied"

UNFINISHED = 75
"""The exit status of a part whose time was over before its last case (EX_TEMPFAIL)."""


class Unreadable(Exception):
    """A file is no result of this benchmark; the text is one line for the user."""


class File:
    """A file of results that grows by one line a case.

    Attributes:
        path: of the file.
        known: what is in it: the name of each case, and its digests.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = read(path) if path.exists() else {}
        path.parent.mkdir(parents=True, exist_ok=True)

    def start(self, case: str) -> None:
        """Note that a case begins: if its process dies, the next process goes on after it."""
        self._append({"begins": case})

    def add(self, case: str, digests: Digests) -> None:
        """Keep the digests of a case."""
        self.known[case] = digests
        self._append({"case": case, "digests": digests})

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read(path: Path) -> dict[str, Digests]:
    """The digests of each case in a file; a case that has begun and not ended has died.

    Raises:
        Unreadable: the file is none of ours.
    """
    found: dict[str, Digests] = {}
    try:
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "begins" in line:
                found[line["begins"]] = {"": DIED}
            elif "case" in line:
                found[line["case"]] = line["digests"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"{path} cannot be read as results: {error}") from None
    return found


def compute(work: Callable[[], Any], digest: Callable[[Any], Digests]) -> Digests:
    """The digests of what some work returns, or the kind of the exception that it raises.

    Exceptions are results: under level portable an operator may be refused, on every machine.
    """
    try:
        return digest(work())
    except Exception as error:
        return {"": ERROR + type(error).__name__}


class Clock:
    """What is left of a process's time, and how far it has come, on stderr.

    Attributes:
        total: how many cases there are.
        done: how many of them are done.
    """

    EVERY = 20.0
    """Seconds between two lines."""

    def __init__(self, what: str, total: int, done: int, seconds: float) -> None:
        self.what, self.total, self.done = what, total, done
        self._first, self._end = done, time.monotonic() + seconds
        self._start = self._told = time.monotonic()

    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def tick(self) -> None:
        """Count one case, and tell the time that is left if nothing was told for a while."""
        self.done += 1
        now = time.monotonic()
        if now - self._told >= self.EVERY or self.done == self.total:
            self._told = now
            a_case = (now - self._start) / (self.done - self._first)
            left = a_case * (self.total - self.done)
            print(
                f"{self.what}: {self.done} of {self.total}, {left / 60:.1f} min left",
                file=sys.stderr,
                flush=True,
            )


def run(what: str, file: File, cases: "Iterable[tuple[str, Case]]", seconds: float) -> int:
    """Compute the cases that a file does not have.

    Args:
        what: names the run in the lines on stderr.
        file: gets the results.
        cases: the name of each, and what gives its digests.
        seconds: after which no case begins any more.

    Returns:
        The exit status: 0, or UNFINISHED.
    """
    cases = list(cases)
    missing = [(name, case) for name, case in cases if name not in file.known]
    clock = Clock(what, len(cases), len(cases) - len(missing), seconds)
    for name, case in missing:
        if clock.is_over():
            return UNFINISHED
        file.start(name)
        file.add(name, case())
        clock.tick()
    return 0


Case = Callable[[], Digests]


def versions(*names: str) -> dict[str, str]:
    """The versions of some packages, without importing them; "" for one that is not installed.

    A name may be followed by other names of the same package, after a slash.
    """
    return {name.split("/")[0]: _version(name.split("/")) for name in names}


def _version(names: list[str]) -> str:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return ""
