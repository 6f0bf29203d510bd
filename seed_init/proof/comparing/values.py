# SPDX-License-Identifier: Apache-2.0
"""Values of records become text here, and no two that differ look alike."""

import json
import unicodedata
from collections.abc import Sequence
from typing import Any


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


def shown(value: Any) -> str:
    """A value of a record as a reader wants it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return ", ".join(map(str, value)) or "none"
    return json.dumps(value, ensure_ascii=False)


def counted(count: int, noun: str, plural: str = "s") -> str:
    """A count and its noun, with its ending in the plural."""
    return f"{count:,} {noun}{'' if count == 1 else plural}"
