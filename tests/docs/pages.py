"""The Markdown pages of this repository: their headings, links, code and tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from harness.repository import REPOSITORY, files


@dataclass(frozen=True)
class Code:
    """A fenced block of code.

    Attributes:
        language: the word behind the fence, such as `console`; "" if there is none.
        text: what is between the fences.
    """

    language: str
    text: str


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        heading: the text of the heading above it; "" where there is none.
        rows: the source text of each cell, row by row; the first row names the columns.
    """

    heading: str
    rows: tuple[tuple[str, ...], ...]

    @property
    def body(self) -> tuple[tuple[str, ...], ...]:
        """The rows below the names of the columns."""
        return self.rows[1:]


@dataclass(frozen=True)
class Page:
    """A Markdown file.

    Attributes:
        path: the file.
        tokens: what the parser makes of it.
    """

    path: Path
    tokens: tuple[Token, ...]

    @property
    def name(self) -> str:
        """The path inside the repository."""
        return str(self.path.relative_to(REPOSITORY))

    def headings(self) -> list[str]:
        """The text of each heading, in order."""
        return [
            _shown(text)
            for opened, text in zip(self.tokens, self.tokens[1:])
            if opened.type == "heading_open"
        ]

    def anchors(self) -> dict[str, str]:
        """The names by which a link can reach a heading, as GitHub makes them -> the heading."""
        counts: dict[str, int] = {}
        found = {}
        for heading in self.headings():
            slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            seen = counts.get(slug, 0)
            counts[slug] = seen + 1
            found[f"{slug}-{seen}" if seen else slug] = heading
        return found

    def links(self) -> Iterator[str]:
        """The target of each link and picture, in order."""
        for token in self._inline():
            if token.type == "link_open":
                yield str(token.attrs["href"])
            elif token.type == "image":
                yield str(token.attrs["src"])

    def code(self, language: str | None = None) -> list[Code]:
        """The fenced blocks of code; those of one language if it is given."""
        blocks = [Code(t.info, t.content) for t in self.tokens if t.type == "fence"]
        return [block for block in blocks if language in (None, block.language)]

    def typed(self) -> Iterator[str]:
        """What is code on the page: lines of fenced blocks, and what stands between backticks."""
        for block in self.code():
            yield from block.text.splitlines()
        yield from (token.content for token in self._inline() if token.type == "code_inline")

    def tables(self) -> list[Table]:
        """Every table, with the heading that it stands below."""
        tables = []
        heading = ""
        rows: list[tuple[str, ...]] = []
        cells: list[str] = []
        for before, token in zip(self.tokens, self.tokens[1:]):
            if before.type == "heading_open":
                heading = _shown(token)
            elif token.type == "table_open":
                rows = []
            elif token.type == "tr_open":
                cells = []
            elif before.type in ("th_open", "td_open"):
                cells.append(token.content)
            elif token.type == "tr_close":
                rows.append(tuple(cells))
            elif token.type == "table_close":
                tables.append(Table(heading, tuple(rows)))
        return tables

    def table(self, heading: str) -> Table:
        """The first table below a heading."""
        for table in self.tables():
            if table.heading == heading:
                return table
        raise LookupError(f"{self.name} has no table below a heading {heading!r}")

    def section(self, heading: str) -> str:
        """The source below a heading, up to the next heading of its level or a higher one."""
        lines = self.path.read_text().splitlines()
        begins = {
            token.map[0]: int(token.tag[1:])
            for token in self.tokens
            if token.type == "heading_open" and token.map
        }
        (start,) = [
            opened.map[0]
            for opened, text in zip(self.tokens, self.tokens[1:])
            if opened.type == "heading_open" and opened.map and _shown(text) == heading
        ]
        ends = [n for n, level in begins.items() if n > start and level <= begins[start]]
        return "\n".join(lines[start + 1 : min(ends, default=len(lines))])

    def _inline(self) -> Iterator[Token]:
        for token in self.tokens:
            yield from token.children or ()


def _shown(heading: Token) -> str:
    """The text of a heading without its marks."""
    return "".join(child.content for child in heading.children or ())


@cache
def page(name: str) -> Page:
    """One page, by its path inside the repository."""
    path = REPOSITORY / name
    return Page(path, tuple(MarkdownIt("commonmark").enable("table").parse(path.read_text())))


@cache
def pages() -> tuple[Page, ...]:
    """Every Markdown file that git knows, or would."""
    return tuple(page(name) for name in files("*.md"))
