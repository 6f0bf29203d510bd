"""The dev container, through the command line that VS Code's extension is built on."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from containers import DRAWS, Done, command, copy_checkout, docker, install_from_npm, unique

from harness.sharing import once

pytestmark = pytest.mark.image

# The newest that runs on the Node.js 18 of Debian 12.
CLI = "@devcontainers/cli@0.80.0"
UP_S = 600.0
CONFIG = ".devcontainer/devcontainer.json"


@pytest.fixture(scope="session")
def cli(engine: None, kept: Path) -> Path:
    """The command devcontainer, installed for this run."""
    if shutil.which("npm") is None:
        missing = "there is no npm (tools/test-programs.sh installs it)"
        if os.environ.get("SEED_INIT_REQUIRE_ENGINE") == "1":
            pytest.fail(f"SEED_INIT_REQUIRE_ENGINE=1, but {missing}", pytrace=False)
        pytest.skip(missing)
    return Path(once(kept, install_from_npm, CLI, str(kept / "devcontainer"))) / "devcontainer"


@dataclass
class DevContainer:
    """A copy of the checkout with a dev container of its own.

    Attributes:
        cli: the command devcontainer.
        folder: the copy.
    """

    cli: Path
    folder: Path

    def up(self, *options: str, status: int | None = 0, **variables: str) -> Done:
        """devcontainer up, with these variables in the host's environment."""
        words = (self.cli, "up", f"--workspace-folder={self.folder}", *options)
        return command(*words, status=status, variables=variables, timeout=UP_S)

    def exec(self, *words: str) -> Done:
        return command(self.cli, "exec", f"--workspace-folder={self.folder}", *words)

    def close(self) -> None:
        """Remove its containers and the images that were made for it alone."""
        label = f"label=devcontainer.local_folder={self.folder}"
        for one in docker("ps", "--all", "--quiet", "--filter", label).stdout.split():
            docker("rm", "--force", "--volumes", one, status=None)
        named = ("--format={{.Repository}}", f"--filter=reference=vsc-{self.folder.name}-*")
        for image in docker("images", *named).stdout.split():
            docker("image", "rm", "--force", image, status=None)


@pytest.fixture
def dev(images, base, cli: Path, tmp_path: Path) -> Iterator[DevContainer]:
    folder = tmp_path / unique("dev")
    copy_checkout(folder)
    # The base of these tests, as a person with another base would give it.
    config = json.loads(without_comments((folder / CONFIG).read_text()))
    config["build"]["args"] = base.arguments
    (folder / CONFIG).write_text(json.dumps(config))
    made = DevContainer(cli, folder)
    yield made
    made.close()


def without_comments(text: str) -> str:
    return re.sub(r"^\s*//.*$", "", text, flags=re.M)


def test_a_dev_container_draws_the_numbers_of_the_hosts_seed(
    dev: DevContainer, recipe: Callable[[int], list[float]]
) -> None:
    dev.up(SEED="7")
    assert json.loads(dev.exec("python", "-c", DRAWS).stdout) == recipe(7)
    # Not because of the entrypoint, which dev containers skip.
    assert dev.exec("bash", "-c", "echo ${SEED_INIT_ENTRYPOINT-skipped}").stdout == "skipped\n"


def test_without_a_seed_of_the_hosts_the_images_default_holds(
    dev: DevContainer, recipe: Callable[[int], list[float]]
) -> None:
    dev.up()
    assert json.loads(dev.exec("python", "-c", DRAWS).stdout) == recipe(42)


def test_the_folder_is_the_workspace_and_there_is_room_for_workers(dev: DevContainer) -> None:
    dev.up()
    done = dev.exec("bash", "-c", "pwd; touch made-inside; df --output=size -B1G /dev/shm")
    assert done.stdout.split()[0] == "/workspace"
    assert int(done.stdout.split()[-1]) == 8
    assert (dev.folder / "made-inside").exists()
    # ipykernel: what the extension for notebooks asks for.
    dev.exec("python", "-m", "ipykernel", "--version")


@pytest.mark.parametrize(("gpus", "asked"), [("all", True), ("none", False)])
def test_the_gpu_is_asked_for_where_there_is_one(dev: DevContainer, gpus: str, asked: bool) -> None:
    # On a machine without one `all` cannot start; what was asked of the engine is seen anyway.
    done = dev.up(f"--gpu-availability={gpus}", status=None if asked else 0)
    assert ("--gpus all" in done.stderr) == asked, done
