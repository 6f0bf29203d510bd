# SPDX-License-Identifier: Apache-2.0
"""Run the probes in a process of their own, and read the fingerprint from what they print."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seed_init.proof.arithmetic.fingerprint import Fingerprint, Row

PROBE = Path(__file__).with_name("probe.py")

LIBRARIES = ("python", "numpy", "scipy", "torch")
"""What has probes (`probe.LIBRARIES`)."""

LIMIT = 900.0
"""Seconds for all probes. An emulated machine takes minutes for what a real one does in seconds."""

OF_A_RUN = ("SEED_INIT_TRACE", "SEED_INIT_RECORD", "SEED_INIT_RECORDER")
"""Variables by which the process would become part of a run that is observed."""

CRASHES_MOST = 3
"""Probes that may end their process; the others are asked again without them."""

CONFIGURATION = 78
"""Exit status of a process whose settings the hook does not accept."""


class CannotAsk(Exception):
    """The probes gave no fingerprint. The text is one line for the user.

    Attributes:
        status: the exit status for a command that needs the fingerprint.
    """

    def __init__(self, line: str, status: int = 1) -> None:
        super().__init__(line)
        self.status = status


def ask(
    python: Sequence[str],
    libraries: Iterable[str] = LIBRARIES,
    environment: Mapping[str, str] | None = None,
    limit: float = LIMIT,
) -> Fingerprint:
    """Compute the fingerprint of this machine, as a program under the same settings would see it.

    Args:
        python: the words that start the Python; an emulator may stand before it.
        libraries: which are asked, of those that have probes.
        environment: of the process; that of this process if None.
        limit: seconds after which nobody waits for the process any longer.

    Raises:
        CannotAsk: the process cannot be started, was refused by the hook, took too long, or ended
            too early: at the import of a library, or at more than a few probes.
    """
    given = dict(os.environ if environment is None else environment)
    variables = {name: value for name, value in given.items() if name not in OF_A_RUN}
    # What the hook tells of each process is of no use here; what it refuses it says anyway.
    variables["SEED_INIT_LOG"] = "quiet"
    told = _Told()
    words = list(libraries)
    for crashes in range(CRASHES_MOST + 1):
        command = [*python, str(PROBE), *words, *(f"-{probe}" for probe in told.crashed)]
        status, text, said = _run(command, variables, limit)
        told.read(text)
        if status == 0 and told.ended:
            return told.fingerprint()
        if status >= 0 or not told.probe or crashes == CRASHES_MOST:
            break
        # One function that this machine cannot run must not hide the others.
        told.crashed[told.probe] = f"the process {_end(status)}"
        words = words[words.index(told.library) :]
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    if status == CONFIGURATION:
        raise CannotAsk(last.removeprefix("seed_init: "), CONFIGURATION)
    where = f" at {told.probe or told.library}" if told.library else ""
    raise CannotAsk(f"the process of the probes {_end(status)}{where}: {last}")


def _run(
    command: Sequence[str], environment: Mapping[str, str], limit: float
) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=limit,
        )
    except OSError as error:
        raise CannotAsk(f"{command[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotAsk(f"the probes gave no answer within {limit:.0f} s") from None
    return done.returncode, done.stdout, done.stderr


@dataclass
class _Told:
    """What the probes have printed.

    Attributes:
        rows: name of a row -> the row.
        missing: as in `Fingerprint`.
        failed: likewise.
        chosen: likewise.
        crashed: probe that has ended the process -> how.
        library: which is being asked.
        probe: which is running, or was the last; "" before the first of a library.
        ended: whether all have been asked.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)
    library: str = ""
    probe: str = ""
    ended: bool = False

    def read(self, text: str) -> None:
        """Read the lines of one process, which come on top of those of former ones."""
        self.library = self.probe = ""
        self.ended = False
        for line in text.splitlines():
            try:
                event = json.loads(line)
                what = event["what"]
            except (ValueError, TypeError, KeyError):
                continue  # a library has printed this line
            self._take(what, event)

    def _take(self, what: str, event: Mapping[str, str]) -> None:
        if what == "library":
            self.library, self.probe = event["name"], ""
        elif what == "probe":
            self.probe = event["name"]
        elif what == "row":
            row = Row(event["library"], event["kind"], event["probe"], event["result"])
            self.rows[str(row)] = row
        elif what == "missing":
            self.missing[event["library"]] = event["why"]
        elif what == "failed":
            self.failed[f"{event['library']} {event['probe']}"] = event["why"]
        elif what == "chosen":
            self.chosen[event["name"]] = event["choice"]
        elif what == "end":
            self.ended = True

    def fingerprint(self) -> Fingerprint:
        """Return what was told as a fingerprint."""
        failed = {**self.failed, **self.crashed}
        return Fingerprint(tuple(self.rows.values()), self.missing, failed, self.chosen)


def _end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
