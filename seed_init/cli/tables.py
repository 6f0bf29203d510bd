# SPDX-License-Identifier: Apache-2.0
"""Lay out plain tables for a terminal, a log file or a pipe."""

from collections.abc import Sequence

from seed_init.system.terminal import one_line


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows in columns, two spaces apart; the last column has no limit.

    Args:
        rows: rows of equal length.

    Returns:
        The lines, without their ends; no lines if there are no rows.
    """
    # Cells are escaped before they are measured, because an escaped text is longer.
    shown = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*shown)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in shown
    ]
