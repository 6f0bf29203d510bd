# SPDX-License-Identifier: Apache-2.0
"""Where the parts of a record go while its run lasts, and who puts them together.

The parts are a trace directory beside the record: on the same file system, and easy to find where
a killed run has left them behind. The environment of every process of the run has

    SEED_INIT_TRACE     that directory
    SEED_INIT_RECORDER  the process that will assemble the record

The second keeps those processes from making records of their own: SEED_INIT_RECORD is theirs too,
by the environment or a defaults file.
"""

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from seed_init.hook import settings
from seed_init.proof.trace import journal, records

RECORDER = "SEED_INIT_RECORDER"


def parts_of(record: Path) -> Path:
    """Make the directory for the parts of a record.

    Args:
        record: its file, which need not be there; its directory is made if missing.

    Raises:
        OSError: it cannot be written there, or is a directory.
    """
    if record.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(record))
    if record.parent.exists() and not record.parent.is_dir():
        # What mkdir would say is that the file exists.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(record.parent))
    record.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        parts = record.with_name(f"{record.name}.{os.getpid()}{suffix}.parts")
        try:
            parts.mkdir()
        except FileExistsError:  # of a killed run, or of a container with the same numbers
            number += 1
            continue
        journal.write_plan(parts, records.PLAN)
        return parts


def remove(parts: Path) -> None:
    """Remove the parts of a record that is written."""
    shutil.rmtree(parts, ignore_errors=True)


def environment_of_runs(recorder: str, base: "Mapping[str, str] | None" = None) -> dict[str, str]:
    """The environment for several runs of one command: one seed for all, and no record of each.

    Args:
        recorder: the name of what runs them.
        base: the environment that it is made from; this process's if None.
    """
    environment = dict(os.environ if base is None else base)
    environment.pop("SEED_INIT_RECORD", None)
    environment[RECORDER] = recorder  # the defaults file may ask for a record as well
    if environment.get("SEED", "").strip() == "random":
        # Each run would draw its own.
        drawn = str(int.from_bytes(os.urandom(4), "little"))
        environment |= {"SEED": drawn, settings.DRAWN: drawn}
    return environment
