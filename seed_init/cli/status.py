"""`seed-init status`: what holds in this environment, and where it comes from."""

import argparse
import json

from seed_init import report
from seed_init.cli.tables import table


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `status` to the parser."""
    command = commands.add_parser(
        "status",
        help="the settings in effect, the origin of each, and what is not covered",
        description="Show the settings in effect here, the origin of each, and what they cannot "
        "cover. `python -m seed_init status` asks for the Python that runs it.",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the status; always 0."""
    state = report.status()
    print(json.dumps(state, indent=2) if options.json else as_text(state))
    return 0


def as_text(state: dict) -> str:  # type: ignore[type-arg]
    """The status as a person reads it.

    Args:
        state: as `seed_init.status` returns it.
    """
    where = ", ".join(state["installed"]) or "nowhere in this Python"
    lines = [
        f"seed-init {state['version']} in {state['python']}: {state['hook']}",
        f"hook installed: {where}",
        "",
        table([(row["name"], row["value"], row["origin"]) for row in state["settings"]]),
    ]
    if state["flags"]:
        rows = [(name, flag["value"], flag["origin"]) for name, flag in state["flags"].items()]
        lines += ["", "set when torch is imported:", table(rows)]
    if state["not_covered"]:
        lines += ["", "not covered:", *(f"  {line}" for line in state["not_covered"])]
    return "\n".join(lines)
