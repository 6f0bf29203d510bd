# SPDX-License-Identifier: Apache-2.0
"""`seed-init compare` says whether two runs, on two machines or at two dates, are the same.

With `--environment` nothing of the runs is compared, but what could decide their bits: of two
records, or of a record and this machine.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from seed_init.cli import arguments, output, printing
from seed_init.cli.errors import CommandError
from seed_init.proof.comparing import beforehand, comparison, this_machine
from seed_init.proof.comparing.beforehand import Compared
from seed_init.proof.comparing.comparison import Comparison
from seed_init.proof.comparing.environments import Explanation
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, in_place, workspace
from seed_init.proof.trace import journal, records

STATUS = {"same": 0, "different": 1, "nothing in common": 3, "unproven": 4}
"""Verdict to exit status."""

EXPLAINED = 12
"""How many explanations are shown; --json has all of them."""


EXAMPLES = """\
examples:
  seed-init compare laptop.json server.json
  seed-init compare --environment laptop.json               # and this machine, before a long run
  seed-init compare --environment laptop.json server.json
"""

HERE = "this machine"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare` to its parser."""
    parser.description = (
        "Compare the records of two runs: the first step at which they part, and the "
        "differences of environment that could explain it, likeliest first. Exit status 0: the "
        "same. 1: not. 2: not a record that can be read. 3: they have nothing in common that could "
        "be compared: no step, no final weights, no generator. 4: nothing differs, but an "
        "instrument failed in one of the runs, so that nothing is proven. With --environment the "
        "statuses are of what can decide bits: versions, settings, devices, code and data."
    )
    arguments.add_examples(parser, EXAMPLES)
    record = "a file that seed-init record wrote, or a trace directory"
    parser.add_argument("a", type=Path, metavar="A", help=record)
    parser.add_argument("b", type=Path, metavar="B", nargs="?", help="another one")
    parser.add_argument(
        "--environment",
        action="store_true",
        help="compare what could decide the bits of a run, and not the runs: of A and B, or "
        "without B of A and this machine",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the records, print the result, and return the verdict's exit status.

    Raises:
        CommandError: a file is not a record that can be read, a record is missing, or this machine
            cannot be described.
    """
    if options.environment:
        return _environments(options)
    if options.b is None:
        raise CommandError(
            "one record compares with nothing; give another one, or --environment to compare the "
            "record's environment with this machine"
        )
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


def _environments(options: argparse.Namespace) -> int:
    """Compare environments, print the result, and return the verdict's exit status."""
    try:
        first = redaction.record(records.load(options.a))
        more: list[Explanation] = []
        if options.b is not None:
            second = redaction.record(records.load(options.b))
        else:
            second, more = _here(first)
    except records.NotARecord as error:
        raise CommandError(str(error)) from None
    names = str(options.a), HERE if options.b is None else str(options.b)
    compared = beforehand.compare(first, second, names, more)
    text = (
        printing.as_json(compared.to_json())
        if options.json
        else printing.as_text(environment_lines(compared, names))
    )
    return output.tell(text, STATUS[compared.verdict])


def _here(record: dict[str, Any]) -> tuple[dict[str, Any], list[Explanation]]:
    """Describe this machine as a record does."""
    here, environment = arguments.here(), in_place.given_environment()
    words = [os.path.expanduser(word) for word in record["command"]["argv"][:1]]  # noqa: PTH111
    try:
        with workspace.results("compare") as directory:
            python = commands.interpreter_of(words, environment, here)
            content, more = this_machine.described(record, python, environment, directory)
    except (this_machine.CannotDescribe, journal.Unreadable) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"this machine cannot be described: {error}") from None
    return redaction.record(content), more


def environment_lines(compared: Compared, names: tuple[str, str]) -> list[str]:
    """Return the comparison of two environments as a person reads it.

    Args:
        compared: the comparison.
        names: what the two are called.
    """
    lines = [f"{compared.verdict.upper()}: the environments of {names[0]} and of {names[1]}", ""]
    for title, found in (
        ("what can decide bits, likeliest first:", compared.explanations),
        ("what differs all the same:", compared.others),
    ):
        if found:
            lines += [title, *_shown(found), ""]
    lines.append(f"compared: {', '.join(compared.compared) or 'nothing'}")
    return lines + [f"not compared: {line}" for line in compared.not_compared]


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
    return [title, *_shown(compared.explanations), ""]


def _shown(explanations: list[Explanation]) -> list[str]:
    lines = [f"  {line}" for line in explanations[:EXPLAINED]]
    more = len(explanations) - EXPLAINED
    return [*lines, f"  and {more} more; --json has them"] if more > 0 else lines


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
