"""Every link of every page leads somewhere, and every page can be found."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.repository import REPOSITORY, files

from .pages import Page, page, pages

EVERYWHERE = re.compile(r"^(https?:|mailto:)")
PATHS = re.compile(r"(?<![\w./-])(?:\.\./)*docs/[\w./-]+\.(?:md|png|svg)\b")
"""A page or a picture of docs/ by its path, in code or in a message."""


def broken(of: Page) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    for link in of.links():
        if EVERYWHERE.match(link):
            continue
        target, _, anchor = unquote(link).partition("#")
        path = (of.path.parent / target).resolve() if target else of.path
        if not path.exists():
            yield f"{link}: there is no {target}"
        elif anchor:
            if path.is_dir() or path.suffix != ".md":
                yield f"{link}: only a page has anchors"
            elif anchor not in page(str(path.relative_to(REPOSITORY))).anchors():
                yield f"{link}: {target or of.name} has no heading of that name"


@pytest.mark.parametrize("name", [each.name for each in pages()])
def test_every_link_and_anchor_of_a_page_resolves(name: str) -> None:
    assert list(broken(page(name))) == []


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        for link in page(str(path.relative_to(REPOSITORY))).links():
            target = (path.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                waiting.append(target)
    lost = [
        each.name for each in pages() if each.name.startswith("docs/") and each.path not in reached
    ]
    assert lost == []


def test_every_path_into_docs_that_code_or_a_message_names_exists() -> None:
    wrong = []
    for name in files(":!docs/cost/*.json", ":!requirements/*.txt", ":!tests/docs/*"):
        try:
            text = (REPOSITORY / name).read_text()
        except UnicodeDecodeError:
            continue
        wrong += [
            f"{name}: {path}"
            for path in PATHS.findall(text)
            if "NAME" not in path and not (REPOSITORY / path.replace("../", "")).exists()
        ]
    assert wrong == []


def test_every_module_that_a_page_runs_with_python_m_exists() -> None:
    """A figure on a page can be printed anew only where the script that printed it is there."""
    wrong = []
    for each in pages():
        for module in re.findall(
            r"python -m ((?:benchmarks|harness)[\w.]*)", each.path.read_text()
        ):
            place = REPOSITORY / module.rstrip(".").replace(".", "/")
            if not (place.with_suffix(".py").exists() or (place / "__main__.py").exists()):
                wrong.append(f"{each.name}: {module}")
    assert wrong == []
