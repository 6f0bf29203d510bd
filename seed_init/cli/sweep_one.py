# SPDX-License-Identifier: Apache-2.0
"""`seed-init sweep one FOLDER RUN` makes one run of a sweep: what an engine's job calls."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from seed_init.cli import printing
from seed_init.cli.errors import CommandError
from seed_init.hook import arrays
from seed_init.proof.running import commands, signals
from seed_init.proof.sweeping import engines, ledger, one, plan
from seed_init.proof.sweeping.ledger import Folder, Row

SPEAKER = "seed-init sweep"

USAGE = "usage: seed-init sweep one [--plan DIR] FOLDER [RUN]"

TEMPFAIL = 75
"""Exit status where another process makes this run: EX_TEMPFAIL of sysexits.h."""


def run(words: Sequence[str], options: argparse.Namespace) -> int:
    """Make the run, and return 0 if it has ended well, 1 if not.

    Args:
        words: what follows `one`.
        options: the options of `sweep`, none of which is used.

    Raises:
        CommandError: the words are wrong, or the run cannot be made.
    """
    source, folder, name = _parsed(words)
    try:
        if source is not None:
            engines.put_plan(Folder(folder), source)
        index = engines.index_of(plan.read(folder), name, arrays.index())
        row = one.run_one(folder, index)
    except ledger.Busy as error:
        raise CommandError(str(error), status=TEMPFAIL) from None
    except one.CodeChanged as error:
        raise CommandError(str(error), status=1) from None
    except (plan.NotASweep, commands.CannotStart) as error:
        raise CommandError(str(error)) from None
    except signals.Ended as error:
        raise CommandError(
            f"ended by a signal; run {name or ''} is to be made again", status=128 + error.signal
        ) from None
    return tell(row)


def _parsed(words: Sequence[str]) -> tuple[Path | None, Path, str | None]:
    """Return the directory of --plan, the folder, and the run; None for what is not given."""
    left = list(words)
    source: Path | None = None
    if left[:1] == ["--plan"] and len(left) > 1:
        source, left = Path(left[1]), left[2:]
    if not 1 <= len(left) <= 2 or left[0].startswith("-"):
        raise CommandError(f"one wants the folder of a sweep and a run of it; {USAGE}")
    return source, Path(left[0]), left[1] if len(left) == 2 else None


def tell(row: Row) -> int:
    """Say on stderr how a run has ended; return the exit status."""
    if row.is_well:
        printing.error(f"the run of {row.task} has ended well: {row.directory}", SPEAKER)
        return 0
    printing.error(f"the run of {row.task} {one.why(row)}", SPEAKER)
    return 1
