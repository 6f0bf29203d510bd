# SPDX-License-Identifier: Apache-2.0
"""Everything that `seed-init` prints goes through here: text of others cannot break our lines.

A record, a trace, a module's or a file's name, and the output of a program may contain anything:
escapes that steer a terminal, or a line feed and then a line that looks like ours.
"""

import sys
from collections.abc import Iterable
from typing import Any

from seed_init.system.terminal import one_line


def as_text(lines: Iterable[str]) -> str:
    """Return lines as one text, without a line feed at the end."""
    return "\n".join(map(one_line, lines))


def lines(texts: Iterable[str]) -> None:
    """Print lines to standard output, and flush: in a log of both outputs, errors come last.

    Args:
        texts: the lines, without their ends.
    """
    print(as_text(texts), flush=True)


def error(line: str, speaker: str = "seed-init") -> None:
    """Print a line to standard error.

    Args:
        line: the line, without its end.
        speaker: what stands before the line: `seed-init`, or `seed-init SUBCOMMAND`.
    """
    if sys.stderr is not None:  # closed: `print` would write to the standard output
        print(f"{speaker}: {one_line(line)}", file=sys.stderr)


def as_json(value: Any, indent: int | None = 2) -> str:
    """Return a value as JSON of ASCII characters, none of which can steer a terminal.

    Args:
        value: a value that JSON can hold.
        indent: as in `json.dumps`.
    """
    import json  # most calls of the command print none

    # DEL is the one control character that JSON does not escape.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def json_object(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON; see `as_json`."""
    print(as_json(value, indent), flush=True)
