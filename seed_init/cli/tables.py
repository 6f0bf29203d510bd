"""Plain tables for a terminal, a log file or a pipe."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in columns, two spaces apart, the last one as long as it likes.

    Args:
        rows: rows of equal length.

    Returns:
        The lines, without a trailing newline; empty for no rows.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )
