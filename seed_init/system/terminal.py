# SPDX-License-Identifier: Apache-2.0
"""Text of others on a terminal: a record, a file's name or a module's cannot steer it."""


def one_line(text: str) -> str:
    """The text as one line, in which what does not print is shown as Python would write it.

    That is control characters (`\\x1b`, `\\n`), those that turn the direction of writing around
    (`\\u202e`), and bytes of no text (`\\udcff`); see `str.isprintable`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shown(line: bytes, most: int) -> str:
    """A line as text: what is no character or controls a terminal is escaped; shortened.

    Args:
        line: without its end.
        most: characters.
    """
    text = one_line(line[: 4 * most + 4].decode(errors="backslashreplace"))
    return text if len(text) <= most and len(line) <= 4 * most else f"{text[:most]}..."
