"""`seed-init compare`: are two runs, on two machines or two dates, the same?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from seed_init.cli import printing

if TYPE_CHECKING:
    from seed_init.proof.comparison import Comparison

EXPLAINED = 12
"""Explanations that are shown; --json has all."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `compare` to the parser."""
    command = commands.add_parser(
        "compare",
        help="compare two records step by step, and what could explain a difference",
        description="Compare the records of two runs: the first step at which they part, and the "
        "differences of environment that could explain it, likeliest first. Exit status 0: the "
        "same. 1: not. 2: not a record.",
        epilog="example: seed-init compare laptop.json server.json",
    )
    for name in ("a", "b"):
        command.add_argument(
            name,
            type=Path,
            metavar=name.upper(),
            help="a file that seed-init record wrote, or a trace directory",
        )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare, and print what came of it."""
    # Not at the top: `seed-init --help` needs none of it.
    from seed_init.proof import comparison, journal, records

    try:
        found = comparison.compare(options.a, options.b)
    except (records.NotARecord, journal.Unreadable) as error:
        printing.error(str(error), "compare")
        return 2
    if options.json:
        printing.json_object(found.to_json())
    else:
        printing.lines(as_lines(found))
    return int(not found.same)


def as_lines(found: "Comparison") -> list[str]:
    """The comparison as a person reads it."""
    lines = ["SAME" if found.same else "DIFFERENT", ""]
    if found.difference is not None:
        lines += [found.difference.first_observed, ""]
    told = "what differs all the same:" if found.same else "what could explain it, likeliest first:"
    if found.explanations:
        lines += [told, *(f"  {each}" for each in found.explanations[:EXPLAINED])]
        more = len(found.explanations) - EXPLAINED
        lines += [f"  and {more} more; --json has them"] if more > 0 else []
        lines.append("")
    elif not found.same:
        lines += ["nothing in the records' environments explains it: repeat with verify", ""]
    compared = found.compared
    lines.append(f"compared: {compared['steps']} steps of {compared['processes']} process(es)")
    return lines + [f"not compared: {line}" for line in found.not_compared]
