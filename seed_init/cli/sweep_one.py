# SPDX-License-Identifier: Apache-2.0
"""`seed-init sweep one FOLDER INDEX` makes one run of a sweep: what an engine's job calls."""

from collections.abc import Sequence
from pathlib import Path

from seed_init.cli import printing
from seed_init.cli.errors import CommandError
from seed_init.proof.running import commands, signals
from seed_init.proof.sweeping import ledger, one, plan
from seed_init.proof.sweeping.ledger import Row

SPEAKER = "seed-init sweep"

USAGE = "usage: seed-init sweep one FOLDER INDEX"

TEMPFAIL = 75
"""Exit status where another process makes this run: EX_TEMPFAIL of sysexits.h."""


def run(words: Sequence[str]) -> int:
    """Make the run, and return 0 if it has ended well, 1 if not.

    Args:
        words: what follows `one`.

    Raises:
        CommandError: the words are wrong, or the run cannot be made.
    """
    if len(words) != 2:
        raise CommandError(f"one wants the folder of a sweep and the place of a run; {USAGE}")
    folder, index = words
    if not (index.isascii() and index.isdecimal()):
        raise CommandError(f"{index!r} is no place of a run; give a number from 0; {USAGE}")
    try:
        row = one.run_one(Path(folder), int(index))
    except ledger.Busy as error:
        raise CommandError(str(error), status=TEMPFAIL) from None
    except one.CodeChanged as error:
        raise CommandError(str(error), status=1) from None
    except (plan.NotASweep, commands.CannotStart) as error:
        raise CommandError(str(error)) from None
    except signals.Ended as error:
        raise CommandError(
            f"ended by a signal; run {index} is to be made again", status=128 + error.signal
        ) from None
    return tell(row)


def tell(row: Row) -> int:
    """Say on stderr how a run has ended; return the exit status."""
    if row.is_well:
        printing.error(f"the run of {row.task} has ended well: {row.directory}", SPEAKER)
        return 0
    printing.error(f"the run of {row.task} {one.why(row)}", SPEAKER)
    return 1
