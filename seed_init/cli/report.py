# SPDX-License-Identifier: Apache-2.0
"""`seed-init report`: records as one HTML page."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from seed_init.cli import output, printing
from seed_init.system import writing

DEFAULT = Path("report.html")


class Refused(Exception):
    """What was asked for cannot be done. Each argument is one line for the user."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `report` to the parser."""
    command = commands.add_parser(
        "report",
        help="one HTML page about records: verdict, environment, losses, steps, difference, audit",
        description="Write one HTML page about one record, or about several that are compared "
        "with the first. It is one file, fetches nothing, and prints on A4.",
        epilog="example: seed-init report monday.json friday.json -o difference.html",
    )
    command.add_argument(
        "records",
        nargs="+",
        type=Path,
        metavar="RECORD",
        help="a file that seed-init record wrote, or the trace directory of a killed run",
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE.html", help=f"the page (default: {DEFAULT})"
    )
    command.add_argument("--force", action="store_true", help="replace the file if it is there")
    command.add_argument(
        "--json", action="store_true", help="print what the page shows as JSON, and write no page"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page, or print the JSON; 2 where a record cannot be read or the page not written.

    The verdict is not the exit status: the command has done what it was asked for.
    """
    # Not at the top: `seed-init --help` needs none of it.
    from seed_init.proof.reporting import adapter, page
    from seed_init.proof.trace import records

    target: Path = options.output or DEFAULT
    try:
        if options.json and options.output:
            raise Refused("--json writes no page; leave out --output")
        if not options.json:
            check_target(target, options.records, options.force)
        _check_all(options.records)
        report = adapter.report(options.records)
        if options.json:
            return output.tell(printing.as_json(report.as_json()), 0)
        write(target, page.render(report), options.force)
    except (Refused, records.NotARecord) as error:
        for line in error.args:
            printing.error(line, "report")
        return 2
    return output.tell(printing.as_text([f"{target}: {report.verdict.word}"]), 0)


def check_target(target: Path, records: Sequence[Path], force: bool) -> None:
    """Refuse a place for the page before the work of making it.

    Raises:
        Refused: something is there that must stay.
    """
    if any(_is_same(target, record) for record in records):
        raise Refused(f"{target} is one of the records; give another name with -o")
    if target.is_dir():
        raise Refused(f"{target} is a directory; give a file with -o")
    if not os.path.lexists(target):
        return
    if not force:
        raise Refused(f"{target} is there already; give another name with -o, or --force")
    if target.exists() and not target.is_file():
        raise Refused(f"{target} is no regular file; give another name with -o")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def write(target: Path, page: str, force: bool) -> None:
    """Write the page, whole or not at all.

    Raises:
        Refused: it cannot be written, or without `force`, something is there by now.
    """
    try:
        (writing.replace if force else writing.create)(target, page)
    except FileExistsError:
        raise Refused(f"{target} is there already; use --force to replace it") from None
    except OSError as error:
        raise Refused(f"cannot write {target}: {error.strerror}") from None


def _check_all(paths: Sequence[Path]) -> None:
    """Load nothing where one of them is not even there; all such are named.

    Raises:
        Refused: one line for each.
    """
    missing = [f"cannot read {path}: there is no such file" for path in paths if not path.exists()]
    if missing:
        raise Refused(*missing)
