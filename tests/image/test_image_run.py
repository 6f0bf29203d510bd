"""`make train` and `make notebook`: in one line, what they run on and why.

The fakes on PATH stand for software that is missing or old; everything else is real.
"""

import os
import shutil
import socket
from pathlib import Path

import pytest
from containers import TRAINING_TIMEOUT, Done, Project, environment

pytestmark = pytest.mark.image

NO_GPU = {"nvidia-smi": "exit 1"}
NEW_COMPOSE = '[ "$1 $2" = "compose version" ] && echo 2.29.7'


def with_commands(folder: Path, **commands: str) -> str:
    """A PATH on which these commands come first; each is given as a shell script."""
    folder.mkdir(exist_ok=True)
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{environment()['PATH']}"


@pytest.fixture
def local(project: Project) -> Project:
    """A project whose local environment is a stub that prints the command it is given."""
    python = project.folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    (project.folder / "tools/venv.sh").write_text("#!/bin/sh\n")
    return project


def run_lines(done: Done) -> list[str]:
    """What tools/run.sh says itself."""
    return [line for line in done.lines if line.startswith("seed-init: ")]


@pytest.mark.usefixtures("all_cores")
def test_without_a_gpu_it_runs_in_a_container_on_the_cpu(project: Project, tmp_path: Path) -> None:
    path = with_commands(tmp_path / "bin", **NO_GPU)
    done = project.command("make", "train", "SEED=7", PATH=path, timeout=TRAINING_TIMEOUT)
    assert run_lines(done) == [
        "seed-init: train runs in a container on the CPU, because no NVIDIA GPU here"
    ]
    assert "seed_init: SEED=7 (environment), DETERMINISM=warn" in done.lines
    assert "weights sha256: " in done.stdout
    metrics = project.folder / "metrics.json"
    assert metrics.stat().st_uid == project.folder.stat().st_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to root")
def test_a_container_that_runs_as_root_is_said_to(project: Project) -> None:
    os.chown(project.folder, 0, 0)
    as_root = "seed-init: the container runs as root, because this folder belongs to root; "
    # A bad seed: nothing has to be trained for this.
    for user, said in (("", True), ("0", False), ("1000", False)):
        done = project.command("tools/run.sh", "train", status=78, SEED="seven", CONTAINER_UID=user)
        assert any(line.startswith(as_root) for line in done.lines) == said, user


def test_with_a_gpu_but_without_nvidias_runtime_it_says_what_to_install(
    local: Project, tmp_path: Path
) -> None:
    path = with_commands(
        tmp_path / "bin",
        **{"nvidia-smi": "echo GPU 0: some GPU", "docker": f"{NEW_COMPOSE}; exit 0"},
    )
    done = local.command("tools/run.sh", "train", PATH=path)
    if Path("/etc/cdi/nvidia.yaml").exists() or Path("/var/run/cdi/nvidia.yaml").exists():
        pytest.skip("this machine's engine can have a GPU through CDI")
    assert run_lines(done) == [
        "seed-init: train runs in a container on the CPU, because the engine has no NVIDIA "
        "runtime: install the NVIDIA Container Toolkit"
    ]


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        pytest.param({"docker": '[ "$1" != info ]'}, "no Docker engine answers", id="no engine"),
        pytest.param(
            {"docker": '[ "$1" = info ] && exit 0; echo 2.20.0'},
            "Compose 2.20.0 is too old; install 2.24 or newer",
            id="an old Compose",
        ),
        pytest.param(
            {"docker": '[ "$1" = info ]', "docker-compose": "echo 1.29.2"},
            "docker-compose 1.x is no longer maintained and cannot read docker-compose.yml; "
            "install Compose 2.24 or newer (docker compose)",
            id="docker-compose 1",
        ),
        pytest.param(
            {"docker": f'[ "$1" = info ] && exit 0; {NEW_COMPOSE}'},
            "the image is not here and its base cannot be pulled",
            id="no image and no registry",
        ),
    ],
)
def test_where_compose_cannot_be_used_it_runs_in_the_local_environment(
    local: Project, tmp_path: Path, commands: dict[str, str], reason: str
) -> None:
    path = with_commands(tmp_path / "bin", **commands)
    done = local.command("tools/run.sh", "train", PATH=path)
    assert done.lines == [f"seed-init: train runs in the local environment .venv, because {reason}"]
    assert done.stdout == "examples/digits/train.py\n"


def path_without(tmp_path: Path, *missing: str) -> str:
    """A PATH with every command of this machine except the missing ones."""
    folder = tmp_path / "rest"
    folder.mkdir()
    for place in map(Path, environment()["PATH"].split(":")):
        for file in place.glob("*"):
            link = folder / file.name
            if file.name not in missing and not link.is_symlink():
                link.symlink_to(file)
    return str(folder)


def test_without_a_docker_command_it_says_so(local: Project, tmp_path: Path) -> None:
    path = path_without(tmp_path, "docker")
    assert shutil.which("docker", path=path) is None
    done = local.command("tools/run.sh", "train", PATH=path)
    assert done.lines == [
        "seed-init: train runs in the local environment .venv, because there is no docker command"
    ]


def test_without_any_compose_it_says_so(local: Project, tmp_path: Path) -> None:
    path = path_without(tmp_path, "docker", "docker-compose")
    path = f"{with_commands(tmp_path / 'bin', docker='[ $1 = info ]').split(':')[0]}:{path}"
    done = local.command("tools/run.sh", "train", PATH=path)
    assert done.lines == [
        "seed-init: train runs in the local environment .venv, because docker has no Compose; "
        "install Compose 2.24 or newer (docker compose)"
    ]


def test_a_port_in_use_ends_it_with_one_line(local: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", local.port))
        other.listen()
        done = local.command("tools/run.sh", "notebook", status=1)
    assert done.lines == [
        f"seed-init: port {local.port} is in use; choose another: make notebook JUPYTER_PORT=8889"
    ]


@pytest.mark.parametrize("port", ["abc", "-1", "0", "65536", "8888x"])
def test_a_port_that_is_none_ends_it_with_one_line(local: Project, port: str) -> None:
    done = local.command("tools/run.sh", "notebook", status=78, JUPYTER_PORT=port)
    assert done.lines == [
        f"seed-init: JUPYTER_PORT={port!r} is not accepted; use a port from 1 to 65535"
    ]


def test_a_bad_seed_is_refused_before_anything_is_installed(
    project: Project, tmp_path: Path
) -> None:
    path = with_commands(tmp_path / "bin", docker='[ "$1" != info ]')
    done = project.command("tools/run.sh", "train", status=78, PATH=path, SEED="seven")
    assert run_lines(done) == [
        "seed-init: train runs in the local environment .venv, because no Docker engine answers"
    ]
    assert done.lines[1].startswith("seed_init: SEED='seven' is not accepted; use ")
    assert len(done.lines) == 2
    assert not (project.folder / ".venv").exists()


def test_a_wrong_word_is_refused(project: Project) -> None:
    done = project.command("tools/run.sh", "trian", status=1)
    assert done.lines == ["seed-init: usage: run.sh notebook|train"]
