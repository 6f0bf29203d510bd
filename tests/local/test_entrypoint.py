"""The entrypoint on a machine with a GPU that the container was not given.

NVIDIA's driver shows itself in /proc of every container. Nothing may be mounted there from outside
a container, so the script runs in a mount namespace of its own instead.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

NO_MOUNT = 99
HOST_WITH_A_GPU = f"""
mount -t tmpfs none /proc/driver || exit {NO_MOUNT}
gpu=/proc/driver/nvidia/gpus/0000:41:00.0
mkdir -p $gpu
printf 'Model: \\t\\t NVIDIA H200\\nIRQ:   \\t\\t 17\\n' > $gpu/information
exec "$@"
"""
LINE = "seed_init: this machine has a GPU (NVIDIA H200) that this container was not given: "


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, True),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, True),
        ({"NVIDIA_VISIBLE_DEVICES": "none"}, False),
        ({"CUDA_VISIBLE_DEVICES": ""}, False),
        ({"SEED_INIT_LOG": "quiet"}, False),
    ],
    ids=str,
)
def test_a_container_without_the_gpu_of_its_machine_says_so(
    variables: dict[str, str], said: bool
) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU, and the script sees it")
    # No hook in the Python that it starts to check the settings.
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    unshare = ("unshare", "--mount", "bash", "-c", HOST_WITH_A_GPU, "bash")
    done = subprocess.run(
        [*unshare, REPOSITORY / "entrypoint/seed-init-entrypoint", "echo", "x"],
        env={"PATH": path, "HOME": "/tmp", "SEED_INIT": "0", **variables},
        cwd="/",
        capture_output=True,
        text=True,
    )
    if done.returncode == NO_MOUNT or "unshare failed" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (0, "x\n")
    assert [line.startswith(LINE) for line in done.stderr.splitlines()] == [True] * said
