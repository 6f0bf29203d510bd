# SPDX-License-Identifier: Apache-2.0
"""`seed-init status`: what holds in this environment, and where it comes from."""

import argparse
from typing import Any

from seed_init.cli import printing, proving
from seed_init.cli.tables import table
from seed_init.hook import status


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `status` to the parser."""
    command = commands.add_parser(
        "status",
        help="the settings in effect, the origin of each, and what is not covered",
        description="Show the settings in effect here, the origin of each, and what they cannot "
        "cover. `python -m seed_init status` asks for the Python that runs it.",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if anything is not covered, or if a fresh Python does not draw what "
        "seeding by hand gives (imports NumPy and torch, if installed)",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status; with --check, 1 where it does not hold, one line for each reason."""
    state = status.status()
    failed = check(state) if options.check else []
    if options.json:
        printing.json_object(state)
    else:
        printing.lines(as_lines(state))
    for line in failed:
        printing.error(line, "status")
    return int(bool(failed))


def check(state: dict[str, Any]) -> list[str]:
    """Why the settings do not hold here, one line a reason; empty where they do.

    Args:
        state: as `seed_init.status` returns it; gets `checked`, what was compared, or None.
    """
    state["checked"] = None
    # A hook that is off, idle or not active is among these lines, and has nothing to compare.
    failed: list[str] = list(state["not_covered"])
    if state["hook"] == "active":
        try:
            state["checked"] = proving.prove(state)
        except proving.NotProven as error:
            failed.append(str(error))
    return failed


def as_lines(state: dict[str, Any]) -> list[str]:
    """The status as a person reads it.

    Args:
        state: as `seed_init.status` returns it, and `check` completes it.
    """
    where = ", ".join(state["installed"]) or "nowhere in this Python"
    lines = [
        f"seed-init {state['version']} in {state['python']}: {state['hook']}",
        f"hook installed: {where}",
        "",
        *table([(row["name"], row["value"], row["origin"]) for row in state["settings"]]),
    ]
    for title, part in (
        ("set when torch is imported:", "flags"),
        ("variables of other libraries, set when torch is imported:", "switches"),
    ):
        if state[part]:
            rows = [(name, each["value"], each["origin"]) for name, each in state[part].items()]
            lines += ["", title, *table(rows)]
    if state["not_covered"]:
        lines += ["", "not covered:", *(f"  {line}" for line in state["not_covered"])]
    if state.get("checked"):
        lines += ["", f"checked: {state['checked']}"]
    return lines
