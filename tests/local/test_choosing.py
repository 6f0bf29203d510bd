"""`make train` where there is an engine: which files of Compose it takes, and for which user."""

import os
from pathlib import Path

import pytest

from .conftest import Checkout

ENGINE = """
case "$1 $2" in
    info*) echo "$RUNTIMES" ;;
    "compose version") echo 2.29.7 ;;
    compose*) echo "$CONTAINER_UID $*" ;;
esac
"""
"""An engine that has the image already, and prints what Compose is asked for."""


@pytest.mark.parametrize(
    ("gpu", "runtimes", "files"),
    [
        (True, "nvidia runc", "-f docker-compose.yml -f docker-compose.gpu.yml"),
        (True, "runc", "-f docker-compose.yml"),
        (False, "nvidia runc", "-f docker-compose.yml"),
    ],
    ids=["GPU and runtime", "GPU without a runtime", "no GPU"],
)
def test_the_gpu_file_is_taken_where_the_engine_can_give_a_gpu(
    empty_checkout: Checkout, gpu: bool, runtimes: str, files: str
) -> None:
    if any(Path(place, "cdi/nvidia.yaml").exists() for place in ("/etc", "/var/run")):
        pytest.skip("this machine's engine can have a GPU through CDI")
    empty_checkout.fake("docker", ENGINE)
    empty_checkout.fake("nvidia-smi", "echo GPU 0: some GPU" if gpu else "exit 1")
    done = empty_checkout.run("tools/run.sh", "train", RUNTIMES=runtimes)
    owner = empty_checkout.folder.stat().st_uid
    assert done.stdout == f"{owner} compose {files} run --rm train\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_the_user_is_the_owner_of_the_folder_that_the_job_writes_into(
    empty_checkout: Checkout,
) -> None:
    empty_checkout.fake("docker", ENGINE)
    elsewhere = empty_checkout.folder.parent / "elsewhere"
    elsewhere.mkdir()
    os.chown(elsewhere, 1001, 1001)
    done = empty_checkout.run("tools/run.sh", "notebook", SEED_INIT_WORKSPACE=str(elsewhere))
    assert done.stdout.startswith("1001 compose ")
