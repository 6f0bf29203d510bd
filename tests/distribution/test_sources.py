"""Every file of the package says under which license it is."""

from pathlib import Path

import seed_init

SPDX = "# SPDX-License-Identifier: Apache-2.0"
PACKAGE = Path(seed_init.__file__).parent
PROJECT = (PACKAGE.parent / "pyproject.toml").read_text()


def test_every_source_file_begins_with_its_license() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert PACKAGE / "hook/startup.py" in files
    lacking = [str(f) for f in files if f.read_text().partition("\n")[0] != SPDX]
    assert lacking == [], f"put this line first: {SPDX}"


def test_it_is_the_license_of_the_project() -> None:
    assert f'license = "{SPDX.rpartition(" ")[2]}"' in PROJECT
    assert "Apache License" in (PACKAGE.parent / "LICENSE").read_text()
