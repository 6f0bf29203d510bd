"""The versions that this repository is made for, as `versions.env` at its top has them."""

from pathlib import Path
from string import Template

from harness.repository import REPOSITORY

FILE = REPOSITORY / "versions.env"


def pinned(file: Path = FILE) -> dict[str, str]:
    """Read the versions as a shell does that sources the file.

    Args:
        file: lines NAME=VALUE, where a value may name an earlier one as ${NAME}; comments.

    Returns:
        Name to value, such as {"PINNED_TORCH": "2.6.0"}.

    Raises:
        KeyError: a value names what no earlier line sets.
    """
    found: dict[str, str] = {}
    for line in file.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name] = Template(value).substitute(found)
    return found
