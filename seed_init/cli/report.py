# SPDX-License-Identifier: Apache-2.0
"""`seed-init report` shows records, or a sweep, as one HTML page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from seed_init.cli import output, printing
from seed_init.cli.errors import CommandError
from seed_init.proof.reporting import page, sweeps
from seed_init.proof.reporting.view.report import report
from seed_init.proof.trace import records

DEFAULT = Path("report.html")

ANOTHER = "give another name with -o, or --force to overwrite it"
"""What to do where the page has the name of a file that is there."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `report` to its parser."""
    parser.description = (
        "Write one HTML page about one record, or about several that are compared "
        "with the first; or about the sweep.json of seed-init sweep. It is one file, fetches "
        "nothing, and prints on A4."
    )
    parser.epilog = "example: seed-init report monday.json friday.json -o difference.html"
    parser.add_argument(
        "records",
        nargs="+",
        type=Path,
        metavar="RECORD",
        help="a file that seed-init record wrote, the trace directory of a killed run, or the "
        "sweep.json of a sweep",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.html", help=f"the page (default: {DEFAULT})"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser.add_argument(
        "--json", action="store_true", help="print what the page shows as JSON, and write no page"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page, or print the JSON.

    The verdict is not the exit status, because the command has done what it was asked for.

    Raises:
        CommandError: a record cannot be read, or the page cannot be written.
    """
    target: Path = options.output or DEFAULT
    if options.json and options.output:
        raise CommandError("--json writes no page; leave out --output")
    if not options.json:
        _check_target(target, options.records, options.force)
    _check_records(options.records)
    if any(map(sweeps.is_sweep, options.records)):
        return _sweep(options, target)
    try:
        contents = report(options.records)
    except records.NotARecord as error:
        raise CommandError(*error.args) from None
    if options.json:
        return output.tell(printing.as_json(contents.as_json()), 0)
    _write(target, page.render(contents), options.force)
    return output.tell(printing.as_text([f"{target}: {contents.verdict.word}"]), 0)


def _sweep(options: argparse.Namespace, target: Path) -> int:
    """Write the page about a sweep, or print what the page shows.

    Raises:
        CommandError: there are other files beside it, it cannot be read, or the page not written.
    """
    if len(options.records) > 1:
        raise CommandError("a sweep has a page of its own; give its sweep.json alone")
    try:
        content = sweeps.read(options.records[0])
    except sweeps.NotASweep as error:
        raise CommandError(str(error)) from None
    if options.json:
        return output.tell(printing.as_json(content), 0)
    _write(target, sweeps.render(content), options.force)
    return output.tell(printing.as_text([f"{target}: {sweeps.in_words(content)}"]), 0)


def _check_target(target: Path, record_files: Sequence[Path], force: bool) -> None:
    """Refuse a target before the work of making the page.

    Raises:
        CommandError: something is there that must stay.
    """
    if any(_is_same(target, record) for record in record_files):
        raise CommandError(f"{target} is one of the records; give another name with -o")
    output.check(
        target,
        force,
        another=ANOTHER,
        a_file="give a file with -o",
        may_be_stream=False,
    )
    if target.exists() and not target.is_file():
        raise CommandError(f"{target} is no regular file; give another name with -o")


def _is_same(target: Path, record: Path) -> bool:
    try:
        return target.samefile(record)
    except OSError:
        return False


def _write(target: Path, text: str, force: bool) -> None:
    """Write the page, as a whole or not at all.

    Raises:
        CommandError: the page cannot be written, or without `force` something is there by now.
    """
    try:
        output.put(target, text, force)
    except FileExistsError:
        raise CommandError(f"{target} is there already; {ANOTHER}") from None
    except OSError as error:
        raise CommandError(f"cannot write {target}: {error.strerror}") from None


def _check_records(paths: Sequence[Path]) -> None:
    """Load no record if one of them is not there, and name all that are not.

    Raises:
        CommandError: with a line for each missing one.
    """
    missing = []
    for path in paths:
        try:
            path.stat()
        except OSError as error:
            missing.append(records.cannot_read(path, error))
    if missing:
        raise CommandError(*missing)
