"""The bill of materials that the image's build writes, of folders that are made up."""

import importlib.util
import json
from pathlib import Path

import pytest

from harness.cyclonedx import violations
from harness.repository import REPOSITORY

SPEC = importlib.util.spec_from_file_location("build_sbom", REPOSITORY / "image/sbom.py")
sbom = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sbom)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "opt/x/lib/python3.11/site-packages"
    folder.mkdir(parents=True)
    return folder


def package(site: Path, name: str, version: str, *fields: str, folder: str = "") -> None:
    info = site / (folder or f"{name}-{version}.dist-info")
    info.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *fields]
    (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")


def components(site: Path) -> list[dict]:
    found = list(sbom.python_components(site))
    assert violations(sbom.bill(found, "1700000000")) == []
    return found


def test_every_environment_is_found_and_none_within_another(tmp_path: Path, site: Path) -> None:
    (site / "vendored/site-packages").mkdir(parents=True)
    (tmp_path / "usr/lib/python3/dist-packages").mkdir(parents=True)
    places = (str(tmp_path / "opt"), str(tmp_path / "usr"))
    found = [str(each.relative_to(tmp_path)) for each in sbom.environments(places)]
    assert found == ["opt/x/lib/python3.11/site-packages", "usr/lib/python3/dist-packages"]


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        (["License-Expression: MIT OR Apache-2.0"], [{"expression": "MIT OR Apache-2.0"}]),
        (["License: BSD"], [{"license": {"name": "BSD"}}]),
        (
            ["License: BSD", "Classifier: License :: OSI Approved :: MIT License"],
            [{"license": {"name": "MIT License"}}],
        ),
        (["Classifier: License :: OSI Approved"], None),
        (["License: " + "the whole text " * 20], None),
        ([], None),
    ],
)
def test_a_licence_is_what_the_package_says_of_itself(
    site: Path, fields: list[str], licences: list | None
) -> None:
    package(site, "a", "1", *fields)
    (found,) = components(site)
    assert found.get("licenses") == licences


def test_a_folder_without_metadata_is_listed_by_its_name(site: Path) -> None:
    (site / "left_over-1.2.dist-info").mkdir()
    (found,) = components(site)
    assert (found["name"], found["version"]) == ("left_over", "1.2")


def test_a_second_copy_is_a_second_component(site: Path) -> None:
    package(site, "Twice.Here", "1")
    package(site, "Twice.Here", "1", folder="twice_here-1.dist-info")
    found = components(site)
    assert len({each["bom-ref"] for each in found}) == 2
    assert {each["purl"] for each in found} == {"pkg:pypi/twice-here@1"}


def test_a_package_of_distutils_is_listed(site: Path) -> None:
    (site / "old-3.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 3\n")
    (found,) = components(site)
    assert (found["name"], found["version"]) == ("old", "3")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("License: GPL-2+\n text\n\nLicense: BSD-3-clause\n", ["BSD-3-clause", "GPL-2+"]),
        ("see /usr/share/common-licenses/GPL-3.\n", ["GPL-3"]),
        ("public domain\n", []),
    ],
)
def test_debian_licences_are_those_of_the_copyright_file(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    file = tmp_path / "copyright"
    file.write_text(text)
    assert [each["license"]["name"] for each in sbom.debian_licences(file)] == names


def test_the_same_packages_give_the_same_bytes(site: Path) -> None:
    for name in "cab":
        package(site, name, "1")
    once, again = (json.dumps(sbom.bill(components(site), "7")) for _ in range(2))
    assert once == again
    assert [each["name"] for each in components(site)] == ["a", "b", "c"]


def test_the_check_against_the_schema_can_fail() -> None:
    assert violations({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}]})
