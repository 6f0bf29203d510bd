"""Run `seed-init verify` on a case."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from harness import interpreters

from .catalogue import Case

ENVIRONMENT = {
    "SEED": "7",
    # Several cases run at once, and a network this small is no faster on more threads.
    "OMP_NUM_THREADS": "1",
    # The loopback device has an address on every machine.
    "GLOO_SOCKET_IFNAME": "lo",
}


class Failed(Exception):
    """`verify` gave no result; the text is the end of its stderr."""


def verify(case: Case, python: Path, *options: str, timeout: float = 600) -> dict[str, Any]:
    """Run `seed-init verify --json` on a case, in a directory of its own.

    Args:
        case: what to run.
        python: a Python with the hook, which runs both the command and the program.
        options: of `verify`, on top of the case's.
        timeout: seconds.

    Returns:
        What it printed.

    Raises:
        Failed: it printed no result, or ended with another status than the result has.
    """
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        command = [str(python), "-m", "seed_init", "verify", "--json", *case.options, *options]
        done = subprocess.run(
            [*command, "--", *words(case, python)],
            cwd=place,
            env=environment(case, python, place),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Failed(f"{case.name}: status {done.returncode}\n{done.stderr[-3000:]}") from None
    if done.returncode != {"identical": 0, "different": 1, "unproven": 4}.get(result["verdict"], 2):
        raise Failed(f"{case.name}: {result['verdict']}, but exit status {done.returncode}")
    return result


def words(case: Case, python: Path) -> list[str]:
    """The user's command."""
    if case.how == "notebook":
        return [str(case.path)]
    if case.how == "torchrun":
        launcher = ("-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1")
        return [str(python), *launcher, "--nproc-per-node=2", str(case.path)]
    return [str(python), str(case.path)]


def environment(case: Case, python: Path, place: Path) -> dict[str, str]:
    """The whole environment of `verify`; its home is `place`."""
    made = interpreters.environment(python, **ENVIRONMENT, **{"HOME": str(place)})
    if "TMPDIR" in os.environ:
        made["TMPDIR"] = os.environ["TMPDIR"]
    if case.how == "notebook":
        made["PATH"] = f"{interpreters.with_jupyter(python, place / 'bin')}:{made['PATH']}"
    return made | case.environment
