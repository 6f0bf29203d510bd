"""The compose files: what they ask of the engine."""

import json
import os
import random
import shutil
import socket
from pathlib import Path

import pytest
from containers import Project, docker

pytestmark = pytest.mark.image

SERVICES = ("notebook", "ssh", "train", "verify")


OF_ONE_SERVICE = {
    "notebook": {
        "JUPYTER_PORT",
        "JUPYTER_TOKEN",
        "JUPYTER_HASHED_PASSWORD",
        "JUPYTER_NO_AUTH",
        "JUPYTER_ALLOWED_HOSTS",
        "NB_PREFIX",
    },
    "ssh": {"SSH_PORT", "SSH_AUTHORIZED_KEYS"},
    "train": set(),
    "verify": set(),
}
"""The variables that nobody else may see, or has a use for."""


def services(project: Project, gpu: bool = False) -> dict[str, dict]:
    done = project.compose("--profile=*", "config", "--format=json", gpu=gpu)
    assert not done.stderr
    found: dict[str, dict] = json.loads(done.stdout)["services"]
    return found


def reserved_devices(service: dict) -> list[dict]:
    found: list[dict] = service["deploy"]["resources"]["reservations"].get("devices", [])
    return found


def test_the_gpu_file_reserves_all_gpus_for_every_service(project: Project) -> None:
    found = services(project, gpu=True)
    assert tuple(sorted(found)) == SERVICES
    for name in SERVICES:
        (device,) = reserved_devices(found[name])
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert device["count"] == -1  # what Compose makes of `all`


def test_the_gpu_file_adds_the_gpus_and_nothing_else(project: Project) -> None:
    with_gpu, without = services(project, gpu=True), services(project)
    for name in SERVICES:
        del with_gpu[name]["deploy"]
        assert with_gpu[name]["ulimits"].pop("memlock") == -1
        assert without[name] == with_gpu[name]


def test_no_service_gets_more_rights_than_its_user(project: Project) -> None:
    found = services(project)
    assert {name: found[name]["security_opt"] for name in SERVICES} == {
        name: ["no-new-privileges:true"] for name in SERVICES
    }
    done = project.compose("run", "--rm", "train", "grep", "NoNewPrivs", "/proc/self/status")
    assert done.stdout == "NoNewPrivs:\t1\n"


def test_the_env_example_adds_the_gpu_file_to_every_command(project: Project) -> None:
    shutil.copy(project.folder / ".env.example", project.folder / ".env")
    assert services(project) == services(project, gpu=True)


def test_the_port_is_published_on_127_0_0_1(project: Project) -> None:
    found = services(project)
    (port,) = found["notebook"]["ports"]
    assert port["host_ip"] == "127.0.0.1"
    assert (port["published"], port["target"]) == (str(project.port), project.port)
    (port,) = found["ssh"]["ports"]
    assert port["host_ip"] == "127.0.0.1"
    assert str(port["target"]) == port["published"] == project.variables["SSH_PORT"]
    assert "ports" not in found["train"]


def test_the_notebook_has_a_health_check_and_a_job_has_none(project: Project) -> None:
    found = services(project)
    assert found["notebook"]["healthcheck"]["test"] == ["CMD", "seed-init-healthcheck"]
    assert "healthcheck" not in found["train"]
    assert "healthcheck" not in found["verify"]


def test_no_registry_is_asked_for_the_image(project: Project) -> None:
    for name, service in services(project).items():
        assert service["pull_policy"] == "never"
        assert service["build"]["target"] == ("ssh" if name == "ssh" else "notebook")


def test_there_is_room_for_data_loader_workers(project: Project) -> None:
    for name, service in services(project).items():
        assert int(service["shm_size"]) >= 1 << 30, name


def test_a_job_gets_the_shared_memory_of_the_compose_file(project: Project) -> None:
    script = "df --output=size -B1 /dev/shm | tail -n 1"
    assert int(project.train("bash", "-c", script).stdout) == 8 << 30


@pytest.mark.parametrize("gpu", [False, True], ids=["CPU", "GPU"])
def test_no_service_gets_the_secrets_of_another(project: Project, gpu: bool) -> None:
    found = services(project, gpu)
    common = set.intersection(*(set(found[name]["environment"]) for name in SERVICES))
    assert {"SEED", "DETERMINISM", "SEED_INIT_RECORD"} <= common
    for name, own in OF_ONE_SERVICE.items():
        assert set(found[name]["environment"]) - common == own, name


def test_a_job_gets_what_the_host_has_of_its_variables_and_no_more(project: Project) -> None:
    secret = {"JUPYTER_TOKEN": "secret", "SSH_AUTHORIZED_KEYS": "secret", "NB_PREFIX": "/secret"}
    lines = project.train("env", SEED="7", **secret).stdout.splitlines()
    assert "SEED=7" in lines
    assert "secret" not in " ".join(lines)
    names = {line.partition("=")[0] for line in lines}
    assert not names & set.union(*OF_ONE_SERVICE.values())
    assert not names & {"DETERMINISM", "SEED_INIT", "SEED_INIT_LOG", "CUBLAS_WORKSPACE_CONFIG"}


def test_a_project_elsewhere_is_the_workspace_where_the_host_says_so(
    project: Project, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "a project"
    elsewhere.mkdir()
    if os.geteuid() == 0:
        os.chown(elsewhere, 1000, 0)
    (elsewhere / "my.py").write_text(
        "import random; open('drawn', 'w').write(str(random.random()))"
    )
    project.train("python", "my.py", SEED="7", SEED_INIT_WORKSPACE=str(elsewhere))
    assert (elsewhere / "drawn").read_text() == str(random.Random(7).random())

    missing = tmp_path / "mistyped"
    done = project.compose(
        "run", "--rm", "train", "true", status=1, SEED_INIT_WORKSPACE=str(missing)
    )
    assert f"bind source path does not exist: {missing}" in done.stderr
    assert not missing.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_in_a_folder_of_another_user_a_job_runs_and_says_what_to_type(
    project: Project, all_cores: None
) -> None:
    for path in (project.folder, *project.folder.rglob("*")):
        os.chown(path, 1001, 1001)
    job = ("python", "examples/digits/train.py", "--epochs=1", "--workers=0")
    done = project.train(*job, CONTAINER_UID="1000")  # what holds where nobody sets it
    (line,) = (line for line in done.lines if "belongs to" in line)
    assert line.startswith("seed_init: /workspace belongs to user 1001 and this container runs as ")
    assert "CONTAINER_UID=1001 docker compose" in line
    assert "train.py: cannot write 'metrics.json': Permission denied; training without it" in (
        done.lines
    )
    assert "weights sha256: " in done.stdout
    assert not (project.folder / "metrics.json").exists()

    done = project.train("touch", "written", CONTAINER_UID="1001")
    assert "belongs to" not in done.stderr
    assert (project.folder / "written").stat().st_uid == 1001


def test_a_port_in_use_is_named(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", project.port))
        other.listen()
        done = project.compose("up", "--detach", "notebook", status=1)
    (line,) = (line for line in done.lines if line.startswith("Error"))
    assert f"127.0.0.1:{project.port}" in line
    assert "address already in use" in line


def test_compose_builds_the_image_with_the_arguments_of_the_environment(
    project: Project, base
) -> None:
    tag = f"seed-init-test:{project.variables['COMPOSE_PROJECT_NAME']}"
    try:
        project.compose("build", "notebook", SEED_INIT_IMAGE=tag, timeout=600)
        inspected = docker("image", "inspect", tag).stdout
    finally:
        docker("image", "rm", "--force", tag, status=None)
    labels = json.loads(inspected)[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.base.name"] == base.image
