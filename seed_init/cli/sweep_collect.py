# SPDX-License-Identifier: Apache-2.0
"""`seed-init sweep collect FOLDER` says what the runs have shown that are there by now."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from seed_init.cli import output, sweep
from seed_init.cli.errors import CommandError
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping import results
from seed_init.proof.sweeping.ledger import Folder

USAGE = "usage: seed-init sweep collect FOLDER"


def run(words: Sequence[str], options: argparse.Namespace) -> int:
    """Write `sweep.json`, and print what it says; the exit status is that of a sweep.

    Args:
        words: what follows `collect`.
        options: the options of `sweep`, of which `json`, `plot` and `force` are used.

    Raises:
        CommandError: the words are wrong, or the folder is no sweep's.
    """
    if len(words) != 1:
        raise CommandError(f"collect wants the folder of a sweep; {USAGE}")
    if options.plot is not None:
        output.check(options.plot, options.force)
    folder = Folder(Path(words[0]))
    try:
        content = results.summary(folder.path)
        results.write(folder.path, content)
    except plans.NotASweep as error:
        raise CommandError(str(error)) from None
    return sweep.tell(content, folder, options, options.plot)
