# SPDX-License-Identifier: Apache-2.0
"""What every page has: the document around its contents, and tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path

STYLE = Path(__file__).with_name("page.css")


def document(title: str, main: str, footer: str) -> str:
    """Return a page that fetches nothing and runs nothing.

    The page's own policy forbids scripts and every kind of request, should one ever slip through.

    Args:
        title: HTML.
        main: likewise.
        footer: likewise.

    Returns:
        HTML that any encoding of Unicode can hold.
    """
    style = STYLE.read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title} – seed-init report</title>"
        f"<style>\n{style}</style></head>\n<body><main>{main}</main>"
        f"<footer><p>{footer}</p></footer></body></html>\n"
    )


_NARROW = 4  # columns that a phone has room for


def table(head: Sequence[str], rows: Iterable[str], style: str = "", caption: str = "") -> str:
    """Return a table of HTML rows. If the table has many columns, the table scrolls by itself.

    The roles say what the elements mean already, but would not any more where the style sheet lays
    them out otherwise, for a phone.
    """
    cells = "".join(
        f'<th role="columnheader" scope="col">{title}</th>' if title else '<td role="cell"></td>'
        for title in head
    )
    titled = f"<caption>{caption}</caption>" if caption else ""
    body = (
        f'{titled}<thead role="rowgroup"><tr role="row">{cells}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table>'
    )
    columns = f"--columns:{len(head) - 1}"
    if len(head) <= _NARROW:
        phone = " narrow" if len(head) > 2 else ""
        return f'<table role="table" class="{style}{phone}" style="{columns}">{body}'
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{caption or "table"}">'
        f'<table role="table" class="{style}" style="min-width:{len(head) * 8}rem">{body}</div>'
    )


def row(head: str, *cells: str) -> str:
    values = "".join(f'<td role="cell">{cell}</td>' for cell in cells)
    return f'<tr role="row"><th role="rowheader" scope="row">{head}</th>{values}</tr>'
