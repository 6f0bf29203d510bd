"""The bill of materials in each image, and what `make sbom` writes beside it."""

import json
from pathlib import Path

import pytest
from containers import Containers, command, inspect

from harness.cyclonedx import violations
from harness.repository import REPOSITORY

pytestmark = pytest.mark.image

TOOL = REPOSITORY / "tools/image_contents.py"


@pytest.fixture(params=["runtime", "notebook", "ssh"])
def image(images, request: pytest.FixtureRequest) -> str:
    return getattr(images, request.param)


def test_the_label_names_a_valid_bill_of_all_packages(container: Containers, image: str) -> None:
    place = inspect(image)["Config"]["Labels"]["io.seed-init.sbom"]
    options = ["--entrypoint="]
    bill = json.loads(container.run(image, "cat", place, options=options).stdout)
    assert violations(bill) == []
    listed = {each["bom-ref"] for each in bill["components"]}
    script = "dpkg-query -W -f='debian:${Package}:${Architecture}@${Version}\\n'"
    done = container.run(image, "bash", "-c", script, options=options)
    assert set(done.stdout.split()) == {each for each in listed if each.startswith("debian:")}
    done = container.run(image, "python", "-m", "pip", "list", "--format=json", SEED_INIT="0")
    names = {each["name"].lower() for each in json.loads(done.stdout)}
    assert {"torch", "numpy"} <= names
    python = [each for each in bill["components"] if each["bom-ref"].startswith("python:")]
    assert names <= {each["name"].lower() for each in python}


def test_the_page_beside_an_image_has_its_packages_and_layers(images, tmp_path: Path) -> None:
    command("python3", TOOL, tmp_path, images.ssh, timeout=300)
    (bill,), (page,) = tmp_path.glob("*.cdx.json"), tmp_path.glob("*.md")
    assert violations(json.loads(bill.read_text())) == []
    text = page.read_text()
    assert "| openssh-server | 1:" in text
    assert "| torch | " in text
    assert "apt/install.py ssh" in text


def test_an_image_without_a_bill_is_refused_in_one_line(base, tmp_path: Path) -> None:
    done = command("python3", TOOL, tmp_path, base.image, status=1)
    assert done.lines == [
        f"image_contents: {base.image} has no label io.seed-init.sbom; build it again with "
        "make image"
    ]
