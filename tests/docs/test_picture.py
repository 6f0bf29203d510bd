"""The README's picture shows what its script runs, with the numbers that the tutorial shows."""

import html
import re
import runpy
from typing import Any

import pytest

from harness.repository import REPOSITORY

from .pages import page

PICTURE = REPOSITORY / "docs/pictures/terminal.svg"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """The functions and constants of the script that makes the picture."""
    return runpy.run_path(str(REPOSITORY / "tools/terminal_picture.py"))


def lines_of(svg: str) -> list[str]:
    """The lines of text that an SVG of the script shows."""
    lines: dict[float, str] = {}
    matrix = svg.partition('-matrix">')[2]
    for y, text in re.findall(r'<text [^>]*? y="([\d.]+)"[^>]*>([^<]*)</text>', matrix):
        lines[float(y)] = lines.get(float(y), "") + html.unescape(text).replace("\xa0", " ")
    return [line.rstrip("\n") for _, line in sorted(lines.items())]


def test_the_picture_shows_the_commands_of_its_script(script: dict[str, Any]) -> None:
    typed = [line[2:] for line in lines_of(PICTURE.read_text()) if line.startswith("$ ")]
    assert typed == list(script["COMMANDS"])


def test_the_picture_shows_the_numbers_of_the_tutorial() -> None:
    shown = lines_of(PICTURE.read_text())
    seeded = shown.index("$ SEED=7 python dice.py")
    tutorial = [
        line
        for block in page("docs/tutorial.md").code("console")
        for line in block.text.splitlines()
    ]
    told = tutorial.index("$ SEED=7 python dice.py")
    assert shown[seeded + 1 : seeded + 4] == tutorial[told + 2 : told + 5]


def test_the_picture_fetches_nothing() -> None:
    addresses = re.findall(r"https?://[^\"'\s)]+", PICTURE.read_text())
    assert set(addresses) == {"http://www.w3.org/2000/svg"}


def test_what_is_drawn_is_what_was_printed(script: dict[str, Any]) -> None:
    transcript = [("python a.py", "a <b> & c\n  d"), ("python b.py", "")]
    drawn = script["draw"](transcript, "title")
    shown = [line for line in lines_of(drawn) if line.strip()]
    assert shown == ["$ python a.py", "a <b> & c", "  d", "$ python b.py"]
    assert script["draw"](transcript, "title") == drawn
