"""Fixtures of the container tests: an engine, a base, the images, a project for Compose."""

import fcntl
import json
import os
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from containers import (
    DRAWS,
    REPOSITORY,
    Containers,
    Project,
    command,
    copy_checkout,
    docker,
    unique,
)

from harness.sharing import once
from harness.waiting import free_port

COMPOSE_NEEDED = (2, 24)
REGISTRY_TIMEOUT = 15  # seconds for the base's registry to answer
BUILD_TIMEOUT = 1800  # seconds, for a first run that pulls or builds the base
BASE_USED = "container tests use"  # tests/conftest.py shows it at the end
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


# --- once for all workers -----------------------------------------------------------


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with Compose and buildx; the test is skipped where there is none."""
    missing = missing_engine()
    if not missing:
        return
    if os.environ.get("SEED_INIT_REQUIRE_ENGINE") == "1":
        pytest.fail(f"SEED_INIT_REQUIRE_ENGINE=1, but {missing}", pytrace=False)
    pytest.skip(f"{missing} (tools/docker-engine.sh sets one up)")


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


@pytest.fixture(scope="session")
def base(engine: None, kept: Path) -> Base:
    """The pinned base where it can be had, otherwise the stand-in."""
    image = once(kept, obtain_base)
    if image == pinned_base():
        return Base(image, "11.8", {})
    return Base(image, "12.4", {"BASE_IMAGE": image, "BASE_DIGEST": "", "EXPECT_CUDA": "12.4"})


def obtain_base() -> str:
    pinned = pinned_base()
    return pinned if can_be_had(pinned) else build_standin()


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


@pytest.fixture(scope="session")
def images(base: Base, kept: Path) -> Images:
    """All images, built from this checkout."""
    return Images(**once(kept, build_images, base))


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


@pytest.fixture
def all_cores(kept: Path) -> Iterator[None]:
    """One training at a time: OpenMP's threads spin while they wait, and two jobs that each have
    as many threads as there are cores take ten times as long as one after the other."""
    with (kept / "cores.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- for each test --------------------------------------------------------------------


@pytest.fixture(autouse=True)
def base_for_the_summary(base: Base, record_property: Callable[[str, object], None]) -> None:
    """Every report says which base its test used."""
    record_property(BASE_USED, base.image)


@pytest.fixture
def container(engine: None) -> Iterator[Containers]:
    """Starts containers and removes them."""
    containers = Containers()
    yield containers
    containers.close()


@pytest.fixture(scope="session")
def recipe(images: Images) -> Callable[[int], list[float]]:
    """The numbers of the well-known recipe, drawn by hand with the hook off."""
    known: dict[int, list[float]] = {}

    def numbers(seed: int) -> list[float]:
        if seed not in known:
            by_hand = (
                "import random, numpy, torch\n"
                f"random.seed({seed}); numpy.random.seed({seed}); torch.manual_seed({seed})"
            )
            program = by_hand + DRAWS
            containers = Containers()
            done = containers.run(images.runtime, "python", "-c", program, SEED_INIT="0")
            assert not done.stderr, "SEED_INIT=0 is not quiet"
            known[seed] = json.loads(done.stdout)
        return known[seed]

    return numbers


@pytest.fixture
def new_project(images: Images, base: Base, tmp_path: Path) -> Iterator[Callable[[], Project]]:
    """Makes copies of the checkout with a Compose project, and a port, of their own."""
    projects: list[Project] = []

    def make() -> Project:
        folder = tmp_path / f"project{len(projects)}"
        copy_checkout(folder)
        project = Project(
            folder,
            {
                "COMPOSE_PROJECT_NAME": unique("seed-init-test"),
                "CONTAINER_UID": str(folder.stat().st_uid),
                "JUPYTER_PORT": str(free_port()),
                "SSH_PORT": str(free_port()),
                "SEED_INIT_IMAGE": images.notebook,
                "SEED_INIT_SSH_IMAGE": images.ssh,
                **base.arguments,
            },
        )
        projects.append(project)
        return project

    yield make
    for project in projects:
        project.close()


@pytest.fixture
def project(new_project: Callable[[], Project]) -> Project:
    """A copy of the checkout with a Compose project of its own."""
    return new_project()
