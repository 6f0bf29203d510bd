"""The design page names every room of the package, every part of the hook, and no lost file."""

import re

from harness.repository import REPOSITORY
from tests.hook.test_imports import MAY_IMPORT

from .pages import page

DESIGN = page("docs/why/design.md")
PACKAGE = REPOSITORY / "seed_init"


def named(pattern: str) -> set[str]:
    return set(re.findall(pattern, DESIGN.section("Rooms")))


def test_every_room_of_the_package_is_named_and_no_other() -> None:
    folders = (folder for parent in (PACKAGE, PACKAGE / "proof") for folder in parent.iterdir())
    rooms = {
        str(folder.relative_to(REPOSITORY))
        for folder in folders
        if (folder / "__init__.py").exists() and folder.name != "proof"
    }
    assert named(r"\| `(seed_init/[\w/]+)/`") == rooms


def test_every_part_of_the_hook_is_named_and_no_other() -> None:
    (table,) = (
        table
        for table in DESIGN.tables()
        if table.rows[0] == ("when", "modules of `seed_init/hook/`")
    )
    shown = [name for row in table.body for name in re.findall(r"`(\w+)`", row[1])]
    files = {file.stem for file in (PACKAGE / "hook").glob("*.py")} - {"__init__"}
    assert sorted(shown) == sorted(files)


def test_every_file_that_the_page_names_by_its_path_exists() -> None:
    paths = named(r"`((?:\w+/)+\w+\.py)`")
    assert len(paths) > 5
    gone = [
        path for path in paths if not ((PACKAGE / path).exists() or (REPOSITORY / path).exists())
    ]
    assert gone == []


def test_a_room_imports_only_what_stands_below_it_on_the_page() -> None:
    """What the code may import is held to by tests/hook/test_imports.py."""
    shown = re.findall(r"^\| `(seed_init(?:/[\w/]+)?)/`", DESIGN.section("Rooms"), re.M)
    place = {name.removeprefix("seed_init/").replace("/", "."): n for n, name in enumerate(shown)}
    place["api"] = place["seed_init"]
    rooms = MAY_IMPORT.keys() - {"__main__", "proof"}  # which nobody imports
    assert rooms == place.keys()
    upwards = [
        f"{room} imports {other}"
        for room in rooms
        for other in MAY_IMPORT[room]
        if place[other] < place[room]
    ]
    assert upwards == []
