# SPDX-License-Identifier: Apache-2.0
"""`seed-init record` runs a command as it is, and writes down what ran, where and with what."""

import argparse
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from seed_init.cli import arguments, printing
from seed_init.cli import output as outputs
from seed_init.cli.errors import USAGE, CommandError
from seed_init.proof.arithmetic import kept
from seed_init.proof.auditing import collecting
from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, in_place
from seed_init.proof.trace import data_files, journal, patches, record_parts, records, units

EXAMPLES = """\
example:
  seed-init record -o monday.json -- python train.py --epochs 3
  seed-init record -- torchrun --nproc-per-node 2 train.py

The exit status is the command's; 128+N where signal N ended it; 127 where there is no such
command and 126 where it cannot be executed, as in a shell, and then there is no record; 2 for a
usage error, and where the record cannot be written; 5 where the command succeeded and what --json
prints cannot be written.
"""

NAMED = 3
"""Files that a line names."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `record` to its parser."""
    parser.description = (
        "Run a command, unmodified, and write its run record: one JSON file with the "
        "command, code, versions, hardware, settings, seeds, files read, and a fingerprint of "
        "every training step. Secrets are left out."
    )
    arguments.add_examples(parser, EXAMPLES)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where the record goes; without it seed-init-record-TIME.json in this directory",
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    parser.add_argument(
        "--audit", action="store_true", help="put what seed-init audit finds into the record"
    )
    parser.add_argument(
        "--patch",
        action="store_true",
        help="put what git says is not committed into the record, without secrets, so that "
        "seed-init rerun can make the run again",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object at the end, after what the command printed",
    )
    arguments.add_command(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command, write its record, and return the command's exit status.

    Raises:
        CommandError: the command cannot be run, or the record cannot be written.
    """
    if not options.command:
        raise CommandError(commands.NOT_GIVEN)
    arguments.here()
    output = _output(options)
    patch = _patch() if options.patch else None
    try:
        # The command may leave this directory, or remove it.
        output = output.absolute()
        parts = record_parts.parts_of(output)
    except OSError as error:
        raise CommandError(
            f"cannot write {output}: {error.strerror or error}; give another FILE"
        ) from None
    ended = _recorded(options.command, parts, options.audit, patch)
    file = _assembled(output, parts, ended, options)
    printing.error(str(file), "seed-init record")
    if options.json:
        content = {"record": str(file), "status": ended.status}
        return outputs.tell(printing.as_json(content, indent=None), ended.status)
    return ended.status


def _output(options: argparse.Namespace) -> Path:
    """Return the file that the record goes to, which must not be there without --force."""
    file: Path | None = options.output
    if file is None:
        return Path(time.strftime("seed-init-record-%Y%m%dT%H%M%SZ.json", time.gmtime()))
    if not options.force:
        # The directory of the parts, which lies beside the record, is made where it is missing.
        outputs.check(file, force=False, may_be_stream=False, needs_folder=False)
    return file


def _patch() -> patches.Patch:
    """Return what of the code is not committed, and say what of that is not kept.

    Raises:
        CommandError: the directory is in no repository, or git is not there.
    """
    patch = patches.taken(Path.cwd())
    if patch is None:
        raise CommandError(
            "--patch asks git, which does not answer here: run it in a git repository, with git "
            "in PATH, or leave --patch out"
        )
    if patch.note is not None:
        printing.error(f"the patch is not kept: {patch.note}", "seed-init record")
    if patch.redacted:
        names = ", ".join(patch.redacted[:NAMED])
        more = f" and {len(patch.redacted) - NAMED} more" if len(patch.redacted) > NAMED else ""
        printing.error(
            f"the patch is not whole: what looks like a secret, and what cannot be searched for "
            f"one, is left out of {names}{more}; seed-init rerun will refuse it, unless you commit "
            "first",
            "seed-init record",
        )
    return patch


def _recorded(
    argv: Sequence[str], parts: Path, audit: bool, patch: patches.Patch | None
) -> in_place.Ended:
    """Run the command, whose processes write the parts of the record.

    Raises:
        CommandError: the command cannot be run. No parts are left.
    """
    records.begin(parts, argv, "command", whole=True, patch=patch)
    if audit:
        instruments = [*records.PLAN["instruments"], *collecting.PLAN["instruments"]]
        journal.write_plan(parts, {**records.PLAN, "instruments": instruments})
    environment = in_place.given_environment()
    environment |= {"SEED_INIT_TRACE": str(parts), record_parts.RECORDER: str(os.getpid())}
    try:
        return in_place.run_as_a_shell(argv, environment)
    except in_place.CannotRun as error:
        record_parts.remove(parts)
        raise CommandError(str(error), status=error.status) from None


def _assembled(
    output: Path, parts: Path, ended: in_place.Ended, options: argparse.Namespace
) -> Path:
    """Put the parts together; the file of the record, which without --force may get a new name.

    Raises:
        CommandError: the record cannot be written. The parts stay.
    """
    try:
        file = _write(output, parts, ended, options)
    except KeyboardInterrupt:
        raise CommandError(
            f"interrupted; the parts are in {parts}", status=128 + signal.SIGINT
        ) from None
    except (OSError, ValueError, journal.Unreadable) as error:
        # The command may have removed them, as `git clean` does.
        left = f"the parts are in {parts}" if parts.exists() else "nothing of it is left"
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"cannot write {output}: {reason}; {left}", status=ended.status or USAGE
        ) from None
    record_parts.remove(parts)
    return file


def _write(output: Path, parts: Path, ended: in_place.Ended, options: argparse.Namespace) -> Path:
    traced = journal.read(parts)
    record = records.assemble(
        parts,
        traced,
        ended=time.time(),
        status=ended.status,
        how="signal" if ended.by_signal else "exit",
        here=True,
        budget=data_files.BUDGET_IN_A_HURRY if ended.told_to else data_files.BUDGET,
    )
    if options.audit:
        findings = [finding.to_json() for finding in collecting.collect(traced)]
        record["audit"] = {"findings": redaction.deep(findings)}
    if not ended.told_to:
        # Whoever told the command to end will not wait for an import of torch.
        asked = kept.of_a_record(record, in_place.given_environment())
        record["arithmetic"] = redaction.deep(asked.to_json()) if asked is not None else None
    for line in units.unseen(traced):
        printing.error(f"not recorded: {line}", "seed-init record")
    if not options.force:
        return records.write_new(output, record)
    records.write(output, record)
    return output
