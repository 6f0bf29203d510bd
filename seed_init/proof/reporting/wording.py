# SPDX-License-Identifier: Apache-2.0
"""The user's text on a page: harmless, and with nothing in it that does not show."""

import json
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Any


def text(value: str) -> str:
    """Text as HTML, for contents and for quoted attributes: it has no markup."""
    return escape(visible(value))


def visible(value: str) -> str:
    """A text in which everything shows.

    Control characters, surrogates that stand for bytes of no text, and marks that turn the
    direction of writing around are shown as their numbers. So two texts may look alike that are
    not: `told_apart`.
    """
    if value.isprintable():
        return value
    return "".join(
        char
        if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
        else char.encode("unicode_escape").decode()
        for char in value
    )


def told_apart(shown: Sequence[str], exact: Sequence[Any]) -> list[str]:
    """Texts for values, of which no two are alike that stand for different values.

    Args:
        shown: each value as a reader wants it.
        exact: the values themselves, such as JSON has. 1, "1" and true are three of them.

    Returns:
        `shown`; or where that would hide a difference, what JSON writes.
    """
    precise = [json.dumps(value, sort_keys=True) for value in exact]
    if len(set(map(visible, shown))) == len(set(precise)):
        return list(shown)
    return precise


def counted(count: int, noun: str, plural: str = "s") -> str:
    """A count and its noun, with its ending in the plural."""
    return f"{count:,} {noun}{'' if count == 1 else plural}"
