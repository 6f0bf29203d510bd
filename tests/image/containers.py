"""What the container tests share: the docker command line, and containers that never stay."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.repository import copy_files

TIMEOUT = 120.0  # seconds a command may take, unless a test knows better
TRAINING_TIMEOUT = 300.0

DRAWS = """
import json, random, numpy, torch
print(json.dumps([random.random(), numpy.random.rand(), torch.rand(1).item()]))
"""
"""Print one number from each library, unseeded by the program itself."""

NOISE = re.compile(r"WARNING|ERROR|\[[WE] |Traceback")
OURS = re.compile(
    r"SEED|DETERMINISM|PYTHONHASHSEED|CU(BLAS|DNN)_|TORCH_|SEED_INIT|JUPYTER|BASE_|EXPECT_"
    r"|SSH_PORT|SSH_AUTHORIZED_KEYS|CONTAINER_UID|SHM_SIZE|COMPOSE_|MAKE|MFLAGS|DOCKER_DEFAULT"
)
"""Variables that would reach the containers, Compose or make from whoever runs the tests."""

Result = TypeVar("Result")


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command: this process's without what the tests are about."""
    own = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    return {**own, "DOCKER_BUILDKIT": "1", **variables}


@dataclass(frozen=True)
class Done:
    """A command that has ended, with its two outputs apart."""

    command: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """The lines of stderr."""
        return self.stderr.splitlines()

    def __str__(self) -> str:
        return (
            f"{' '.join(self.command)}\nended with status {self.status}\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


def command(
    *words: str | Path,
    status: int | None = 0,
    cwd: Path | None = None,
    variables: Mapping[str, str] = {},
    timeout: float = TIMEOUT,
    typed: str = "",
) -> Done:
    """Run a command to its end.

    Args:
        words: the command.
        status: the exit status that the test expects; None for any.
        cwd: where to run it.
        variables: put into its environment, see `environment`.
        timeout: seconds, after which the test fails.
        typed: what comes on its stdin.
    """
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(**variables),
        input=typed,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    result = Done(tuple(map(str, words)), done.returncode, done.stdout, done.stderr)
    assert status is None or result.status == status, f"expected status {status}: {result}"
    return result


def docker(*words: str | Path, status: int | None = 0, timeout: float = TIMEOUT) -> Done:
    """Run a docker command to its end; see `command`."""
    return command("docker", *words, status=status, timeout=timeout)


def inspect(image: str) -> dict[str, Any]:
    """What the engine knows about an image."""
    facts: dict[str, Any] = json.loads(docker("image", "inspect", image).stdout)[0]
    return facts


def unexpected(output: str, allowed: Sequence[str] = ()) -> list[str]:
    """The lines of `output` that look like trouble and match none of the patterns allowed."""
    return [
        line
        for line in output.splitlines()
        if NOISE.search(line) and not any(re.search(pattern, line) for pattern in allowed)
    ]


def check_quiet(output: str, allowed: Sequence[str] = ()) -> None:
    """Fail the test on a WARNING or ERROR that it does not name."""
    lines = unexpected(output, allowed)
    assert not lines, "unexpected:\n" + "\n".join(lines)


def unique(prefix: str) -> str:
    """A name that no other test or run has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def install_from_npm(package: str, folder: str) -> str:
    """Install a package into a folder; returns the directory of its commands."""
    command("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", package)
    return f"{folder}/node_modules/.bin"


# --- containers -----------------------------------------------------------------------


@dataclass(frozen=True)
class Container:
    """A container that runs in the background."""

    name: str

    def exec(self, *words: str, options: Sequence[str] = (), status: int | None = 0) -> Done:
        """docker exec; see `command`."""
        return docker("exec", *options, self.name, *words, status=status)

    def logs(self) -> Done:
        """All that it has printed so far."""
        return docker("logs", self.name)

    def state(self) -> dict[str, Any]:
        """The engine's view: Status, ExitCode, Health."""
        state: dict[str, Any] = json.loads(
            docker("inspect", "-f", "{{json .State}}", self.name).stdout
        )
        return state


@dataclass
class Containers:
    """Starts containers and removes every one of them, with its anonymous volumes."""

    names: list[str] = field(default_factory=list)

    def run(
        self,
        image: str,
        *words: str,
        options: Sequence[str | Path] = (),
        status: int | None = 0,
        allowed: Sequence[str] = (),
        timeout: float = TIMEOUT,
        **variables: str,
    ) -> Done:
        """Run a command in a new container to its end.

        Args:
            image: the image.
            words: the command; none for the image's own.
            options: of docker run.
            status: as in `command`.
            allowed: patterns of lines with WARNING or ERROR that the test expects.
            timeout: as in `command`.
            variables: the container's environment.
        """
        settings = [f"--env={name}={value}" for name, value in variables.items()]
        name = self._named()
        try:
            done = docker(
                "run", "--name", name, *settings, *options, image, *words,
                status=status, timeout=timeout,
            )  # fmt: skip
        finally:
            self._remove(name)
        check_quiet(done.stdout + done.stderr, allowed)
        return done

    def start(
        self, image: str, *words: str, options: Sequence[str | Path] = (), **variables: str
    ) -> Container:
        """Start a container in the background; the arguments are those of `run`."""
        settings = [f"--env={name}={value}" for name, value in variables.items()]
        name = self._named()
        docker("run", "--detach", "--name", name, *settings, *options, image, *words)
        return Container(name)

    def close(self) -> None:
        """Remove whatever is left."""
        for name in list(self.names):
            self._remove(name)

    def _named(self) -> str:
        self.names.append(unique("seed-init-test"))
        return self.names[-1]

    def _remove(self, name: str) -> None:
        docker("rm", "--force", "--volumes", name, status=None)
        self.names.remove(name)


@contextmanager
def derived_image(base: str, folder: Path, *instructions: str) -> Iterator[str]:
    """An image built FROM `base` with a team's instructions; `folder` is its build context."""
    (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *instructions, ""]))
    tag = unique("seed-init-test:team")
    try:
        docker("build", "--progress=plain", "--tag", tag, folder)
        yield tag
    finally:
        docker("image", "rm", "--force", tag, status=None)


# --- the project, for Compose -----------------------------------------------------------


@dataclass
class Project:
    """A copy of the checkout, which Compose mounts at /workspace and jobs write into.

    Attributes:
        folder: the copy. Its owner is the user that the containers run as.
        variables: what the host's environment has when Compose or make runs.
    """

    folder: Path
    variables: dict[str, str]

    @property
    def port(self) -> int:
        """The port of its notebook."""
        return int(self.variables["JUPYTER_PORT"])

    def compose(
        self,
        *words: str,
        gpu: bool = False,
        status: int | None = 0,
        timeout: float = TIMEOUT,
        **variables: str,
    ) -> Done:
        """docker compose, as README.md has it; with the GPU's file where a test is about that."""
        files = ["-f", "docker-compose.yml", "-f", "docker-compose.gpu.yml"] if gpu else []
        return self.command("docker", "compose", *files, *words,
                            status=status, timeout=timeout, **variables)  # fmt: skip

    def train(self, *words: str, status: int | None = 0, **variables: str) -> Done:
        """docker compose run --rm train."""
        done = self.compose(
            "run", "--rm", "train", *words, status=status, timeout=TRAINING_TIMEOUT, **variables
        )
        check_quiet(done.stdout + done.stderr)
        return done

    def command(
        self, *words: str, status: int | None = 0, timeout: float = TIMEOUT, **variables: str
    ) -> Done:
        """Run any command in the folder."""
        return command(*words, cwd=self.folder, status=status, timeout=timeout,
                       variables={**self.variables, **variables})  # fmt: skip

    def notebook(self) -> Container:
        """The container of the service notebook."""
        return Container(self.compose("ps", "--all", "--quiet", "notebook").stdout.strip())

    def close(self) -> None:
        """Remove its containers, networks and volumes."""
        self.compose(
            "--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=1", status=None
        )


def copy_checkout(folder: Path) -> None:
    """Copy what git tracks, and what it does not ignore, as it is now."""
    copy_files(folder)
    if os.geteuid() == 0:
        command("chown", "-R", "1000:0", folder)
