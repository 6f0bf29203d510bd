# SPDX-License-Identifier: Apache-2.0
"""All that `seed-init` prints goes through here: text of others stays text, in lines of ours.

A record, a trace, a module's or a file's name, and what a program has printed may have anything in
them: escapes that steer a terminal, or a line feed and a line that looks like one of ours.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any

from seed_init.system.terminal import one_line


def as_text(lines: Iterable[str]) -> str:
    """Lines as one text, without a line feed at its end."""
    return "\n".join(map(one_line, lines))


def lines(given: Iterable[str]) -> None:
    """Print lines to standard output, at once: in a log of both outputs, errors come last.

    Args:
        given: without their ends.
    """
    print(as_text(given), flush=True)


def error(line: str, command: str = "") -> None:
    """Print a line to standard error.

    Args:
        line: without its end.
        command: the subcommand that it is of, if any.
    """
    name = f"seed-init {command}" if command else "seed-init"
    print(f"{name}: {one_line(line)}", file=sys.stderr)


def as_json(value: Any, indent: int | None = 2) -> str:
    """A value as JSON in ASCII letters, which no terminal takes for anything else.

    Args:
        value: what JSON can hold.
        indent: as `json.dumps` has it.
    """
    # JSON escapes all but this one control character.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def json_object(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON."""
    print(as_json(value, indent), flush=True)
