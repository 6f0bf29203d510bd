# SPDX-License-Identifier: Apache-2.0
"""`seed-init rerun` makes a recorded run again, and compares that run with the record."""

import argparse
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seed_init.cli import arguments, compare, printing
from seed_init.cli import output as outputs
from seed_init.cli.errors import LOST, CommandError
from seed_init.proof.comparing.values import counted
from seed_init.proof.rerunning import rerunner
from seed_init.proof.rerunning.recorded import CannotRerun
from seed_init.proof.rerunning.rerunner import Prepared, Rerun
from seed_init.proof.running import in_place
from seed_init.proof.trace import journal, records

EXAMPLES = """\
examples:
  seed-init record --patch -o monday.json -- python train.py
  seed-init rerun monday.json
  seed-init rerun --check monday.json

Exit status 0: the run is the same as the recorded one. 1: it is not. 2: it cannot be made again,
and one line says why. 3: the two have nothing in common that could be compared. 4: nothing differs,
but an instrument failed, so that nothing is proven. 5: the same, and its record or the output could
not be written.
"""

NAMED = 3
"""Files that a line names."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rerun` to its parser."""
    parser.description = (
        "Make a recorded run again: say what differs here, check the recorded commit out into a "
        "worktree with the recorded patch, set the recorded settings, run the command there, and "
        "compare. Your working tree stays as it is, and the worktree is removed afterwards."
    )
    arguments.add_examples(parser, EXAMPLES)
    parser.add_argument(
        "record", type=Path, metavar="RECORD", help="a file that seed-init record wrote"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="say what differs here, and whether the run can be made again, but do not make it",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="make the run although it writes files again that lie outside of its repository",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="keep the record of the new run there"
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object at the end, after what the command printed",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the run again, print how it compares, and return the verdict's exit status.

    Raises:
        CommandError: the run cannot be made again, or its record not be written.
    """
    here = arguments.here()
    if options.output is not None:
        outputs.check(options.output, options.force, may_be_stream=False)
        options.output = options.output.absolute()
    record = options.record.absolute()
    try:
        content = records.load(options.record)
        with rerunner.prepared(content, here) as prepared:
            _tell(prepared, options)
            if options.check:
                return _checked(prepared, options)
            done = rerunner.run(prepared, record)
            return _result(prepared, done, options)
    except (records.NotARecord, CannotRerun) as error:
        raise CommandError(str(error)) from None
    except in_place.CannotRun as error:
        raise CommandError(f"the recorded command cannot be started: {error}") from None
    except (OSError, ValueError, journal.Unreadable) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"the run cannot be made again: {reason}") from None


def _tell(prepared: Prepared, options: argparse.Namespace) -> None:
    """Say on stderr what differs here, before the run.

    Raises:
        CommandError: the run would write over something.
    """
    for line in prepared.differences[: compare.EXPLAINED]:
        printing.error(f"differs here: {line}", "seed-init rerun")
    more = len(prepared.differences) - compare.EXPLAINED
    if more > 0:
        printing.error(f"and {more} more; --json has them", "seed-init rerun")
    if prepared.copied:
        files = counted(prepared.copied, "file")
        printing.error(
            f"copied {files} that the run used and git does not track", "seed-init rerun"
        )
    missing = _not_in_the_worktree(prepared)
    if missing is not None:
        printing.error(
            f"not in the worktree: {missing}, which git did not track, and which no Python of the "
            "run imported or opened",
            "seed-init rerun",
        )
    if prepared.again and not options.overwrite and not options.check:
        more_files = len(prepared.again) - 1
        more_named = f" and {more_files} more" if more_files else ""
        raise CommandError(
            f"the run writes {prepared.again[0]}{more_named} again, outside of its repository; "
            "move it away, or give --overwrite"
        )


def _not_in_the_worktree(prepared: Prepared) -> str | None:
    """Name what git did not track when the run was recorded; None where all is there."""
    code = prepared.recorded.content["code"]
    if code.get("patch") is None:
        number = code["untracked_files"]
        return counted(number, "entry", "entries") if number else None
    left = [
        name
        for name in prepared.recorded.untracked
        if "__pycache__/" not in name and not (prepared.tree.root / name).exists()
    ]
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f"{', '.join(left[:NAMED])}{more}" if left else None


def _checked(prepared: Prepared, options: argparse.Namespace) -> int:
    if options.json:
        return outputs.tell(printing.as_json(_of_here(prepared)), 0)
    line = f"can be made again: {rerunner.words_of(prepared.recorded.argv)}, at {_at(prepared)}"
    return outputs.tell(printing.as_text([line]), 0)


def _at(prepared: Prepared) -> str:
    patch = " with the recorded patch" if prepared.recorded.patch else ""
    return f"{prepared.recorded.commit[:12]}{patch}"


def _of_here(prepared: Prepared) -> dict[str, Any]:
    return {
        "format": 1,
        "command": list(prepared.recorded.argv),
        "commit": prepared.recorded.commit,
        "patched": bool(prepared.recorded.patch),
        "copied_files": prepared.copied,
        "written_again": prepared.again,
        "differs_here": [asdict(each) for each in prepared.differences],
    }


def _result(prepared: Prepared, done: Rerun, options: argparse.Namespace) -> int:
    """Print how the run compares, write its record, and return the exit status.

    Raises:
        CommandError: it was interrupted, or its record cannot be written.
    """
    recorded = prepared.recorded.content["exit"]["status"]
    interrupted = done.ended.told_to or done.ended.status == 128 + signal.SIGINT
    if interrupted and done.ended.status != recorded:
        raise CommandError("interrupted; nothing is compared", status=done.ended.status or 130)
    status = compare.STATUS[done.comparison.verdict]
    lost = _written(done, options)
    if options.json:
        found = {**_of_here(prepared), "status": done.ended.status}
        found |= {"record": None if options.output is None else str(options.output)}
        found |= {"verdict": done.comparison.verdict, "comparison": done.comparison.to_json()}
        text = printing.as_json(found)
    else:
        verdict, *lines = compare.as_lines(done.comparison)
        words = rerunner.words_of(prepared.recorded.argv)
        text = printing.as_text([f"{verdict}: {words}, at {_at(prepared)}", *lines])
    status = outputs.tell(text, status)
    if lost is not None:
        raise CommandError(lost, status=status or LOST)
    return status


def _written(done: Rerun, options: argparse.Namespace) -> str | None:
    """Write the record of the run, if that is asked for; return why it could not be written."""
    if options.output is None:
        return None
    try:
        if options.force:
            records.write(options.output, done.content)
        else:
            options.output = records.write_new(options.output, done.content)
    except (OSError, ValueError) as error:
        return f"cannot write {options.output}: {getattr(error, 'strerror', None) or error}"
    printing.error(str(options.output), "seed-init rerun")
    return None
