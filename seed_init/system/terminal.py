# SPDX-License-Identifier: Apache-2.0
"""Show text of others on a terminal, so that a record or a file's name cannot steer it."""


def one_line(text: str) -> str:
    """Return a text as one line, with characters that do not print written as Python writes them.

    These are control characters (`\\x1b`, `\\n`), characters that reverse the direction of writing
    (`\\u202e`), and bytes that are no text (`\\udcff`); see `str.isprintable`.
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
