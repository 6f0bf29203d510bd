"""Run one program of the catalogue and read its answer."""

import contextlib
import json
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.waiting import free_port

from .catalogue import Program

SCRIPTS = Path(__file__).parent / "scripts"

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    # The loopback device has an address on every machine.
    "GLOO_SOCKET_IFNAME": "lo",
}


class Failed(Exception):
    """A program did not end as it should; the text is the end of its stderr."""


@dataclass(frozen=True)
class Answer:
    """What a program printed.

    Attributes:
        result: all of its last line, in a form that compares.
        workers: what each worker drew first.
        repeats: what the seed decides of a program that is a documented exception.
    """

    result: str
    workers: tuple[Any, ...]
    repeats: tuple[Any, ...]

    @property
    def has_clones(self) -> bool:
        return len(set(self.workers)) < len(self.workers)


def run(
    program: Program,
    python: Path,
    environment: Mapping[str, str],
    source: Path | None = None,
    timeout: float = 240,
) -> Answer:
    """Run a program once, in a temporary directory that is its home as well.

    Args:
        program: what to run.
        python: the interpreter.
        environment: the whole environment but for HOME and what keeps programs offline.
        source: another file to run in place of the program's.
        timeout: seconds.

    Raises:
        Failed: it did not end within that time, or not with status 0, or without an answer.
    """
    command = _command(program, python, source or SCRIPTS / program.file)
    with tempfile.TemporaryDirectory() as place:
        # Files, not pipes: what a killed launcher leaves running would keep a pipe open.
        with Path(place, "stdout").open("w") as stdout, Path(place, "stderr").open("w") as stderr:
            process = subprocess.Popen(
                command,
                cwd=place,
                env={**environment, **OFFLINE, "HOME": place},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
            status = _wait(process, timeout)
        errors = Path(place, "stderr").read_text(errors="replace")
        if status != 0:
            how = f"ran for {timeout} s" if status is None else f"exit status {status}"
            raise Failed(f"{program.file}: {how}\n{errors[-3000:]}")
        printed = Path(place, "stdout").read_text().splitlines()
    try:
        told = json.loads(printed[-1])
        workers, repeats = (tuple(told.get(name, ())) for name in ("workers", "repeats"))
        return Answer(json.dumps(told, sort_keys=True), workers, repeats)
    except (IndexError, ValueError, AttributeError):
        raise Failed(f"{program.file}: no answer in {printed[-1:]}\n{errors[-3000:]}") from None


def _command(program: Program, python: Path, source: Path) -> list[str]:
    if program.how == "notebook":
        return [str(python), str(SCRIPTS / "execute.py"), str(source)]
    if program.how == "torchrun":
        launcher = ("-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2")
        where = ("--master-addr=127.0.0.1", f"--master-port={free_port()}")
        return [str(python), *launcher, *where, str(source)]
    return [str(python), str(source)]


def _wait(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    """The exit status; None where the time was over and the process had to be ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(timeout)
    # First politely: torchrun ends its ranks then.
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
        return None
    process.kill()
    process.wait()
    return None
