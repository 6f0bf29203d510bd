# SPDX-License-Identifier: Apache-2.0
"""`seed-init status` shows the settings that hold in this environment, and their origins."""

import argparse
from typing import Any

from seed_init.cli import printing
from seed_init.cli.tables import table
from seed_init.hook import status


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `status` to its parser."""
    parser.description = (
        "Show the settings in effect here, the origin of each, and what they cannot "
        "cover. `python -m seed_init status` asks for the Python that runs it."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if anything is not covered, or if a fresh Python does not draw what "
        "seeding by hand gives (imports NumPy and torch, if installed)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status. With --check, print why it does not hold, and return 1."""
    state = status.status()
    failed = check(state) if options.check else []
    if options.json:
        printing.json_object(state)
    else:
        printing.lines(as_lines(state))
    for line in failed:
        printing.error(line, "seed-init status")
    return int(bool(failed))


def check(state: dict[str, Any]) -> list[str]:
    """Return why the settings do not hold here, one line a reason; none if they do.

    Args:
        state: as `seed_init.status` returns it; gets `checked`, what was compared, or None.
    """
    from seed_init.cli import proving  # starts processes: most calls of `status` start none

    state["checked"] = None
    # A hook that is off, idle or not active is among these lines, and has no numbers to compare.
    failed: list[str] = list(state["not_covered"])
    if state["hook"] == "active":
        try:
            state["checked"] = proving.prove(state)
        except proving.NotProven as error:
            failed.append(str(error))
    return failed


def as_lines(state: dict[str, Any]) -> list[str]:
    """Return the status as a person reads it.

    Args:
        state: as `seed_init.status` returns it, with what `check` adds.
    """
    where = ", ".join(state["installed"]) or "nowhere in this Python"
    lines = [
        f"seed-init {state['version']} in {state['python']}: {state['hook']}",
        f"hook installed: {where}",
        "",
        *table([(row["name"], row["value"], row["origin"]) for row in state["settings"]]),
        *_place(state),
    ]
    for title, part in (
        ("set when torch is imported:", "flags"),
        ("variables of other libraries, set when torch is imported:", "switches"),
        ("set when Python starts, for the same bits on every CPU:", "arithmetic"),
    ):
        if state[part]:
            rows = [(name, held["value"], held["origin"]) for name, held in state[part].items()]
            lines += ["", title, *table(rows)]
    if state["not_covered"]:
        lines += ["", "not covered:", *(f"  {line}" for line in state["not_covered"])]
    if state.get("checked"):
        lines += ["", f"checked: {state['checked']}"]
    return lines


def _place(state: dict[str, Any]) -> list[str]:
    """Return where the streams of this process start, unless that is where each program's do."""
    unit = state["unit"]
    if state["seed"] is None or not (state["path"] or unit):
        return []
    if unit is None:
        return ["", f"this process: {_path(state['path'])}, seed {state['seed']}"]
    return [
        "",
        f"this unit of work of {unit['engine']}: {_path(unit['path'])}, seed {state['seed']}",
    ]


def _path(path: list[str | int]) -> str:
    return f"path {' '.join(map(str, path))}"
