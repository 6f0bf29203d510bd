"""Run `seed-init verify --resume-after` on a case."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from harness import interpreters

from .catalogue import PROGRAMS, Case

ENVIRONMENT = {
    "SEED": "7",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    # The loopback device has an address on every machine.
    "GLOO_SOCKET_IFNAME": "lo",
}


class Failed(Exception):
    """`verify` gave no result; the text is the end of its stderr."""


def verify(case: Case, python: Path, place: Path, timeout: float = 600) -> dict[str, Any]:
    """Run `seed-init verify --resume-after --json` on a case.

    Args:
        case: what to run.
        python: a Python with the hook, which runs both the command and the program.
        place: an empty directory, which gets the program and is the working directory.
        timeout: seconds.

    Returns:
        What it printed.

    Raises:
        Failed: it printed no result, or ended with another status than the result has.
    """
    shutil.copy(PROGRAMS / case.words[0], place)
    options = ("--resume-after", str(case.after), "--kill", case.kill)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1")
    ranks = (*launcher, f"--nproc-per-node={case.ranks}") if case.ranks else ()
    command = [str(python), *ranks, *case.words]
    done = subprocess.run(
        [str(python), "-m", "seed_init", "verify", "--json", *options, "--", *command],
        cwd=place,
        env=interpreters.environment(python, **ENVIRONMENT, **{"HOME": str(place)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Failed(f"{case.name}: status {done.returncode}\n{done.stderr[-3000:]}") from None
    statuses = {"identical": 0, "different": 1, "unproven": 4}
    if done.returncode != statuses.get(result["verdict"], 2):
        raise Failed(f"{case.name}: {result['verdict']}, but exit status {done.returncode}")
    return result
