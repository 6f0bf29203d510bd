# SPDX-License-Identifier: Apache-2.0
"""The user's text becomes harmless HTML here, in which everything shows."""

from html import escape

from seed_init.proof.comparing.values import visible


def escaped(value: str) -> str:
    """Text as HTML, for contents and for quoted attributes: it has no markup."""
    return escape(visible(value))
