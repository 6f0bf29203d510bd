# SPDX-License-Identifier: Apache-2.0
"""`seed-init record`: run a command as it is, and write down what ran, where and with what."""

import argparse
import os
import signal
import time
from pathlib import Path

from seed_init.cli import output as outputs
from seed_init.cli import printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.proof.running import in_place

EXAMPLE = """\
example:
  seed-init record -o monday.json -- python train.py --epochs 3
  seed-init record -- torchrun --nproc-per-node 2 train.py

The exit status is the command's; 128+N where signal N ended it; 127 where there is no such
command and 126 where it cannot be executed, as in a shell, and then there is no record; 2 for a
usage error, and where the record cannot be written; 5 where the command succeeded and what --json
prints cannot be written.
"""

NOT_WRITTEN = 2


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `record` to the parser."""
    command = commands.add_parser(
        "record",
        help="run a command and write its run record: what ran, where, with what, and each step",
        description="Run a command, unmodified, and write its run record: one JSON file with the "
        "command, code, versions, hardware, settings, seeds, files read, and a fingerprint of "
        "every training step. Secrets are left out.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where the record goes; without it seed-init-record-TIME.json in this directory",
    )
    command.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    command.add_argument(
        "--audit", action="store_true", help="put what seed-init audit finds into the record"
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object at the end, after what the command printed",
    )
    command.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD", help="the command")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command, write its record, and return its exit status."""
    from seed_init.proof.trace import record_parts

    argv = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not argv:
        return _failed("give a command after --, such as: seed-init record -- python train.py")
    output: Path | None = options.output
    if output is None:
        output = Path(time.strftime("seed-init-record-%Y%m%dT%H%M%SZ.json", time.gmtime()))
    elif output.exists() and not options.force:
        return _failed(f"{output} is there already; give another FILE, or --force to overwrite it")
    try:
        # The command may leave this directory, or remove it.
        output = output.absolute()
        parts = record_parts.parts_of(output)
    except OSError as error:
        return _failed(f"cannot write {output}: {error.strerror or error}; give another FILE")
    return _record(argv, output, parts, options)


def _record(argv: list[str], output: Path, parts: Path, options: argparse.Namespace) -> int:
    from seed_init.proof.auditing import collecting
    from seed_init.proof.running import in_place
    from seed_init.proof.trace import journal, record_parts, records

    records.begin(parts, argv, "command", whole=True)
    if options.audit:
        instruments = [*records.PLAN["instruments"], *collecting.PLAN["instruments"]]
        journal.write_plan(parts, {**records.PLAN, "instruments": instruments})
    environment = in_place.given_environment()
    environment |= {"SEED_INIT_TRACE": str(parts), record_parts.RECORDER: str(os.getpid())}
    try:
        ended = in_place.run(argv, environment)
    except in_place.CannotRun as error:
        record_parts.remove(parts)
        printing.error(str(error), "record")
        return error.status
    try:
        where = _write(output, parts, ended, options)
    except KeyboardInterrupt:
        printing.error(f"interrupted; the parts are in {parts}", "record")
        return 128 + signal.SIGINT
    except (OSError, ValueError, journal.Unreadable) as error:
        # The last where the command has removed what was written of it, as `git clean` does.
        left = f"the parts are in {parts}" if parts.exists() else "nothing of it is left"
        _failed(f"cannot write {output}: {error}; {left}")
        return ended.status or NOT_WRITTEN
    record_parts.remove(parts)
    printing.error(str(where), "record")
    if options.json:
        told = {"record": str(where), "status": ended.status}
        return outputs.tell(printing.as_json(told, indent=None), ended.status)
    return ended.status


def _write(output: Path, parts: Path, ended: "in_place.Ended", options: argparse.Namespace) -> Path:
    from seed_init.proof.auditing import collecting
    from seed_init.proof.redaction import redaction
    from seed_init.proof.trace import data_files, journal, records

    record = records.assemble(
        parts,
        ended=time.time(),
        status=ended.status,
        how="signal" if ended.by_signal else "exit",
        here=True,
        budget=data_files.BUDGET_IN_A_HURRY if ended.told_to else data_files.BUDGET,
    )
    if options.audit:
        found = collecting.collect(journal.read(parts))
        record["audit"] = {"findings": redaction.deep([one.to_json() for one in found])}
    if not options.force:
        return records.write_new(output, record)
    records.write(output, record)
    return output


def _failed(line: str) -> int:
    printing.error(line, "record")
    return NOT_WRITTEN
