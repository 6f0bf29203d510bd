# SPDX-License-Identifier: Apache-2.0
"""Run the probes in a process of their own, and read the fingerprint from what they print."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seed_init.proof.arithmetic.fingerprint import Fingerprint, Row

PROBE = Path(__file__).with_name("probe.py")

LIMIT = 900.0
"""Seconds for all probes. An emulated machine takes minutes for what a real one does in seconds."""

OF_A_RUN = ("SEED_INIT_TRACE", "SEED_INIT_RECORD", "SEED_INIT_RECORDER")
"""Variables by which the process would become part of a run that is observed."""

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
    libraries: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    limit: float = LIMIT,
) -> Fingerprint:
    """Compute the fingerprint of this machine, as a program under the same settings would see it.

    Args:
        python: the words that start the Python; an emulator may stand before it.
        libraries: which are asked, as `probe.LIBRARIES` names them; all if empty.
        environment: of the process; that of this process if None.
        limit: seconds after which nobody waits for the process any longer.

    Raises:
        CannotAsk: the process cannot be started, was refused by the hook, ended too early, or took
            too long.
    """
    given = dict(os.environ if environment is None else environment)
    variables = {name: value for name, value in given.items() if name not in OF_A_RUN}
    try:
        done = subprocess.run(
            [*python, str(PROBE), *libraries],
            # What the hook tells of each process is of no use here; what it refuses it says anyway.
            env={**variables, "SEED_INIT_LOG": "quiet"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=limit,
        )
    except OSError as error:
        raise CannotAsk(f"{python[0]} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotAsk(f"the probes gave no answer within {limit:.0f} s") from None
    return _understood(done.stdout, done.returncode, done.stderr)


def _understood(text: str, status: int, said: str) -> Fingerprint:
    rows: list[Row] = []
    tables: dict[str, dict[str, str]] = {"missing": {}, "failed": {}, "chosen": {}}
    library, ended = "", False
    for line in text.splitlines():
        try:
            event = json.loads(line)
            what = event["what"]
        except (ValueError, TypeError, KeyError):
            continue  # a library has printed this line
        if what == "library":
            library = f" at {event['name']}"
        elif what == "row":
            rows.append(Row(event["library"], event["kind"], event["probe"], event["result"]))
        elif what == "missing":
            tables["missing"][event["library"]] = event["why"]
        elif what == "failed":
            tables["failed"][f"{event['library']} {event['probe']}"] = event["why"]
        elif what == "chosen":
            tables["chosen"][event["name"]] = event["choice"]
        ended = what == "end"
    if status or not ended:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        if status == CONFIGURATION:
            raise CannotAsk(last.removeprefix("seed_init: "), CONFIGURATION)
        raise CannotAsk(f"the process of the probes {_end(status)}{library}: {last}")
    return Fingerprint(tuple(rows), **tables)


def _end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
