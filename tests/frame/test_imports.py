"""Tests and benchmarks do not import each other: what both need is in harness/."""

import ast
from collections.abc import Iterator

import pytest

from harness.repository import REPOSITORY


def imported(room: str) -> Iterator[tuple[str, str]]:
    """Each file of a room with the first names of the modules that it imports."""
    for file in sorted((REPOSITORY / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            else:
                continue
            yield from ((str(file), name.partition(".")[0]) for name in names)


IN_TESTS = {"tests", *(folder.name for folder in (REPOSITORY / "tests").iterdir())}
"""Names of what is in tests/: pytest lets a folder there be imported without `tests`."""


@pytest.mark.parametrize(
    ("room", "others"),
    [
        ("tests", {"benchmarks"}),
        ("benchmarks", IN_TESTS),
        ("harness", {"benchmarks", *IN_TESTS}),
        ("seed_init", {"benchmarks", "harness", *IN_TESTS}),
    ],
)
def test_no_room_imports_what_stands_on_it(room: str, others: set[str]) -> None:
    found = [(file, name) for file, name in imported(room) if name in others]
    assert found == []
