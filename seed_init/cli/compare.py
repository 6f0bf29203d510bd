# SPDX-License-Identifier: Apache-2.0
"""`seed-init compare` says whether two runs, on two machines or at two dates, are the same."""

import argparse
from pathlib import Path
from typing import Any

from seed_init.cli import output, printing
from seed_init.cli.errors import CommandError
from seed_init.proof.comparing import comparison
from seed_init.proof.comparing.comparison import Comparison
from seed_init.proof.comparing.values import counted
from seed_init.proof.trace import records

STATUS = {"same": 0, "different": 1, "nothing in common": 3, "unproven": 4}
"""Verdict to exit status."""

EXPLAINED = 12
"""How many explanations are shown; --json has all of them."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare` to its parser."""
    parser.description = (
        "Compare the records of two runs: the first step at which they part, and the "
        "differences of environment that could explain it, likeliest first. Exit status 0: the "
        "same. 1: not. 2: not a record that can be read. 3: they have nothing in common that could "
        "be compared: no step, no final weights, no generator. 4: nothing differs, but an "
        "instrument failed in one of the runs, so that nothing is proven."
    )
    parser.epilog = "example: seed-init compare laptop.json server.json"
    for name in ("a", "b"):
        parser.add_argument(
            name,
            type=Path,
            metavar=name.upper(),
            help="a file that seed-init record wrote, or a trace directory",
        )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the records, print the result, and return the verdict's exit status.

    Raises:
        CommandError: a file is not a record that can be read.
    """
    try:
        compared = comparison.compare(options.a, options.b)
    except records.NotARecord as error:
        raise CommandError(str(error)) from None
    text = (
        printing.as_json(compared.to_json())
        if options.json
        else printing.as_text(as_lines(compared))
    )
    return output.tell(text, STATUS[compared.verdict])


def as_lines(compared: Comparison) -> list[str]:
    """Return the comparison as a person reads it."""
    lines = [compared.verdict.upper(), ""]
    if compared.difference is not None:
        lines += [compared.difference.first_observed, ""]
    lines += _explanations(compared)
    lines.append(f"compared: {_coverage(compared.compared)}")
    lines += [f"not compared: {line}" for line in compared.not_compared]
    return lines + [f"failed: {line}" for line in compared.failures]


def _explanations(compared: Comparison) -> list[str]:
    parted = compared.difference is not None
    if not compared.explanations:
        line = "nothing in the records' environments explains it: repeat with verify"
        return [line, ""] if parted else []
    title = "what could explain it, likeliest first:" if parted else "what differs all the same:"
    lines = [title, *(f"  {line}" for line in compared.explanations[:EXPLAINED])]
    more = len(compared.explanations) - EXPLAINED
    if more > 0:
        lines.append(f"  and {more} more; --json has them")
    return [*lines, ""]


def _coverage(compared: dict[str, Any]) -> str:
    processes = counted(compared["processes"], "process", "es")
    parts = [f"{counted(compared['steps'], 'step')} of {processes}"]
    if compared["units"]:
        parts.append(counted(compared["units"], "unit") + " of work")
    if compared["final_weights"]:
        parts.append(counted(compared["final_weights"], "final parameter"))
    if compared["generators"]:
        parts.append(f"generators at the end: {', '.join(compared['generators'])}")
    return "; ".join(parts)
