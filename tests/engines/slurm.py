"""A Slurm of the tests' own: controller and node on loopback, with files below one directory.

Its commands find it by SLURM_CONF, so that a Slurm of whoever runs the tests is not touched. Needs
root, Debian's slurm-wlm and munge.
"""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.waiting import free_port

COMMANDS = ("sbatch", "srun", "slurmctld", "slurmd", "munged")

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={place}/munge/socket
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SchedulerParameters=sched_interval=1
KillWait=3
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""

START_S = 60.0


def missing() -> str:
    """Why Slurm cannot run here; "" if it can."""
    if os.geteuid() != 0:
        return "Slurm's node needs root"
    lacking = [name for name in COMMANDS if _path(name) is None]
    return f"no {', '.join(lacking)} (Debian: slurm-wlm, munge)" if lacking else ""


@contextmanager
def running(place: Path, *settings: str) -> Iterator[dict[str, str]]:
    """Run Slurm; gives the variables by which its commands find it.

    Args:
        place: an empty directory, which root alone may write into.
        settings: more lines of slurm.conf.

    Raises:
        TimeoutError: the node is not there within `START_S`.
    """
    for name in ("munge", "state", "spool"):
        (place / name).mkdir()
    key, conf = place / "munge/key", place / "slurm.conf"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    values = {"host": socket.gethostname().partition(".")[0], "cpus": os.cpu_count()}
    values |= {"place": place, "controller": free_port(), "node": free_port()}
    conf.write_text("\n".join([CONFIGURATION.format(**values), *settings, ""]))
    variables = {"SLURM_CONF": str(conf)}
    munge = (f"--{name}={place}/munge/{name}" for name in ("socket", "pid-file", "seed-file"))
    with ExitStack() as stack:
        stack.enter_context(
            _daemon("munged", "--foreground", "--force", f"--key-file={key}", *munge)
        )
        stack.enter_context(_daemon("slurmctld", "-D", "-f", str(conf)))
        stack.enter_context(_daemon("slurmd", "-D", "-f", str(conf)))
        _wait_for_node(variables)
        yield variables


@contextmanager
def _daemon(*command: str) -> Iterator[None]:
    name, *arguments = command
    process = subprocess.Popen(
        [str(_path(name)), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_node(variables: dict[str, str]) -> None:
    end = time.monotonic() + START_S
    told = ""
    while "idle" not in told:
        if time.monotonic() > end:
            raise TimeoutError(f"Slurm's node is not idle: {told}")
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        told = done.stdout + done.stderr
        time.sleep(0.5)


@contextmanager
def at_once(variables: dict[str, str]) -> Iterator[None]:
    """Meanwhile no job waits for a time, as a requeued one does for two minutes."""
    done, environment = threading.Event(), {**os.environ, **variables}

    def hurry() -> None:
        while not done.wait(1):
            squeue = ("squeue", "--noheader", "--states=PENDING", "--format=%i")
            told = subprocess.run(squeue, env=environment, capture_output=True, text=True)
            for identity in told.stdout.split():
                words = ("scontrol", "update", f"JobId={identity}", "StartTime=now")
                subprocess.run(words, env=environment, capture_output=True)

    thread = threading.Thread(target=hurry)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _path(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
