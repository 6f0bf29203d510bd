"""What the container tests run in: the engine, the base, and the images of this checkout."""

import json
import re
import subprocess
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from containers import command, docker

from harness import versions
from harness.repository import REPOSITORY
from harness.sharing import once

COMPOSE_NEEDED = (2, 24)
REGISTRY_TIMEOUT = 15  # seconds for the base's registry to answer
BUILD_TIMEOUT = 1800  # seconds, for a first run that pulls or builds the base
CHECKOUT = f"{zlib.crc32(str(REPOSITORY).encode()):08x}"


@dataclass(frozen=True)
class Base:
    """What the images under test are built on.

    Attributes:
        image: its name.
        cuda: the CUDA version of its torch.
        arguments: the build arguments that choose it; none for the pinned base.
    """

    image: str
    cuda: str
    arguments: dict[str, str]


@dataclass(frozen=True)
class Images:
    """The tags under test: of this checkout, so that another one may be tested meanwhile."""

    runtime: str = f"seed-init-test:runtime-{CHECKOUT}"
    notebook: str = f"seed-init-test:notebook-{CHECKOUT}"
    ssh: str = f"seed-init-test:ssh-{CHECKOUT}"


def missing_engine() -> str | None:
    """What this machine lacks for the container tests, in words."""
    try:
        if docker("info", status=None).status:
            return "no Docker engine answers"
        compose = docker("compose", "version", "--short", status=None)
        found = re.match(r"v?(\d+)\.(\d+)", compose.stdout)
        if compose.status or not found:
            return "docker has no Compose"
        if (int(found[1]), int(found[2])) < COMPOSE_NEEDED:
            return f"Compose {compose.stdout.strip()} is older than 2.24"
        if docker("buildx", "version", status=None).status:
            return "docker has no buildx"
    except FileNotFoundError:
        return "there is no docker command"
    except subprocess.TimeoutExpired as error:
        return f"docker does not answer within {error.timeout:.0f} s"
    return None


def obtain_base() -> dict[str, Any]:
    """The pinned base where it can be had, otherwise the stand-in: the fields of a `Base`."""
    pinned = pinned_base()
    if can_be_had(pinned):
        return asdict(Base(pinned, versions.pinned()["PINNED_CUDA"], {}))
    image = build_standin()
    arguments = {"BASE_IMAGE": image, "BASE_DIGEST": "", "EXPECT_CUDA": "12.4"}
    return asdict(Base(image, "12.4", arguments))


def make_ahead(kept: Path) -> None:
    """Make the base and the images while other tests run; a test that needs them waits."""
    if not missing_engine():
        build_images_of(kept)


def build_images_of(kept: Path) -> Images:
    """The images, which whoever asks first has to build."""
    return Images(**once(kept, build_images, Base(**once(kept, obtain_base))))


def pinned_base() -> str:
    text = (REPOSITORY / "Dockerfile").read_text()
    digest = re.search(r"^ARG BASE_DIGEST=(.+)$", text, re.M)[1]
    image = re.search(r"^ARG BASE_IMAGE=(.+)$", text, re.M)[1]
    return image.replace("${BASE_DIGEST}", digest)


def can_be_had(image: str) -> bool:
    """True where the image is here already or its registry answers."""
    if docker("image", "inspect", image, status=None).status == 0:
        return True
    try:
        found = docker("manifest", "inspect", image, status=None, timeout=REGISTRY_TIMEOUT)
    except subprocess.TimeoutExpired:
        return False
    return found.status == 0


def build_standin() -> str:
    done = command(REPOSITORY / "tests/standin/build.sh", timeout=BUILD_TIMEOUT)
    return done.stdout.splitlines()[-1]


def build_images(base: Base) -> dict[str, str]:
    built = asdict(Images())
    for target, tag in built.items():
        before = docker("image", "inspect", "-f", "{{.Id}}", tag, status=None).stdout.strip()
        arguments = [f"--build-arg={name}={value}" for name, value in base.arguments.items()]
        docker("build", "--progress=plain", "--target", target, "--tag", tag, *arguments,
               REPOSITORY, timeout=BUILD_TIMEOUT)  # fmt: skip
        after = docker("image", "inspect", "-f", "{{.Id}}", tag).stdout.strip()
        if before not in ("", after) and not tags(before):
            docker("image", "rm", before, status=None)  # of a former checkout
    return built


def tags(image: str) -> list[str]:
    """The names of an image; to remove it by its id would remove its last name as well."""
    found = docker("image", "inspect", "-f", "{{json .RepoTags}}", image, status=None)
    return json.loads(found.stdout) if found.status == 0 else []
