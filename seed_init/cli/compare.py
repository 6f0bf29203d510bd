# SPDX-License-Identifier: Apache-2.0
"""`seed-init compare`: are two runs, on two machines or two dates, the same?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seed_init.cli import output, printing

if TYPE_CHECKING:
    from seed_init.proof.comparing.comparison import Comparison

STATUS = {"same": 0, "different": 1, "nothing in common": 3, "unproven": 4}
"""Verdict to exit status."""

EXPLAINED = 12
"""Explanations that are shown; --json has all."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `compare` to the parser."""
    command = commands.add_parser(
        "compare",
        help="compare two records step by step, and what could explain a difference",
        description="Compare the records of two runs: the first step at which they part, and the "
        "differences of environment that could explain it, likeliest first. Exit status 0: the "
        "same. 1: not. 2: not a record that can be read. 3: they have nothing in common that could "
        "be compared: no step, no final weights, no generator. 4: nothing differs, but an "
        "instrument failed in one of the runs, so that nothing is proven.",
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
    from seed_init.proof.comparing import comparison
    from seed_init.proof.trace import records

    try:
        found = comparison.compare(options.a, options.b)
    except records.NotARecord as error:
        printing.error(str(error), "compare")
        return 2
    text = printing.as_json(found.to_json()) if options.json else printing.as_text(as_lines(found))
    return output.tell(text, STATUS[found.verdict])


def as_lines(found: "Comparison") -> list[str]:
    """The comparison as a person reads it."""
    lines = [found.verdict.upper(), ""]
    if found.difference is not None:
        lines += [found.difference.first_observed, ""]
    parted = found.difference is not None
    told = "what could explain it, likeliest first:" if parted else "what differs all the same:"
    if found.explanations:
        lines += [told, *(f"  {each}" for each in found.explanations[:EXPLAINED])]
        more = len(found.explanations) - EXPLAINED
        lines += [f"  and {more} more; --json has them"] if more > 0 else []
        lines.append("")
    elif parted:
        lines += ["nothing in the records' environments explains it: repeat with verify", ""]
    lines.append(f"compared: {_coverage(found.compared)}")
    lines += [f"not compared: {line}" for line in found.not_compared]
    return lines + [f"failed: {line}" for line in found.failures]


def _coverage(compared: dict[str, Any]) -> str:
    parts = [f"{compared['steps']} steps of {compared['processes']} process(es)"]
    if compared["final_weights"]:
        parts.append(f"{compared['final_weights']} final parameters")
    if compared["generators"]:
        parts.append(f"generators at the end: {', '.join(compared['generators'])}")
    return "; ".join(parts)
