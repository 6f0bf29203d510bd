"""Run what imports torch in a process of its own: the other benchmarks start from a small one."""

import os
import subprocess
import sys

from harness.repository import REPOSITORY

CLEARED = ("SEED", "DETERMINISM", "CUBLAS_WORKSPACE_CONFIG", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that would change what is measured."""


def run(module: str, *arguments: str) -> None:
    """Run a module with this Python, without the hook; it prints its results itself.

    Args:
        module: its dotted name.
        arguments: its command line.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if name not in CLEARED}
    environment |= {"SEED_INIT": "0"}
    sys.stdout.flush()
    subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        cwd=REPOSITORY,
        env=environment,
    )
