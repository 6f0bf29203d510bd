"""Fixtures of the container tests: an engine, a base, the images, a project for Compose."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import Base, Images, build_images_of, missing_engine, obtain_base
from containers import DRAWS, Container, Containers, Project, copy_checkout, unique

from harness import sharing
from harness.sharing import once
from harness.waiting import free_port

BASE_USED = "container tests use"  # tests/conftest.py shows it at the end


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


@pytest.fixture(scope="session")
def base(engine: None, kept: Path) -> Base:
    """The pinned base where it can be had, otherwise the stand-in."""
    return Base(**once(kept, obtain_base))


@pytest.fixture(scope="session")
def images(base: Base, kept: Path) -> Images:
    """All images, built from this checkout."""
    return build_images_of(kept)


@pytest.fixture(scope="session")
def entered(engine: None) -> Iterator[Callable[..., Container]]:
    """Starts a container that waits to be entered: one for all tests that ask for the same.

    So what a test changes in such a container, the next test finds there.
    """
    containers = Containers()
    started: dict[object, Container] = {}

    def enter(image: str, *options: str, **variables: str) -> Container:
        asked = image, options, tuple(sorted(variables.items()))
        if asked not in started:
            started[asked] = containers.start(
                image, "sleep", "infinity", options=options, **variables
            )
        return started[asked]

    yield enter
    containers.close()


@pytest.fixture
def all_cores(kept: Path) -> Iterator[None]:
    """One training at a time: OpenMP's threads spin while they wait, and two jobs that each have
    as many threads as there are cores take ten times as long as one after the other."""
    with (kept / "cores.lock").open("w") as lock:
        sharing.wait_for(lock)
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
