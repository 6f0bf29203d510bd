"""The user's text on a page: harmless, and with nothing in it that does not show."""

import unicodedata
from html import escape


def text(value: str) -> str:
    """Text as HTML, for contents and for quoted attributes: it has no markup.

    Control characters, surrogates that stand for bytes of no text, and marks that turn the
    direction of writing around are shown as their numbers.
    """
    visible = "".join(
        char
        if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
        else char.encode("unicode_escape").decode()
        for char in value
    )
    return escape(visible)


def counted(count: int, noun: str, plural: str = "s") -> str:
    """A count and its noun, with its ending in the plural."""
    return f"{count:,} {noun}{'' if count == 1 else plural}"
