# SPDX-License-Identifier: Apache-2.0
"""The runs of a sweep as tasks of Ray: on the cluster that RAY_ADDRESS names or that runs here, and
otherwise on a Ray of this machine alone.

The folder of the sweep lies on a file system that the nodes share. A task starts the run as a
program of its own, so that nothing of Ray's worker is in the run.
"""

import contextlib
import importlib.util
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from seed_init.proof.comparing.values import counted
from seed_init.proof.running import in_place, signals
from seed_init.proof.sweeping import engines
from seed_init.proof.sweeping.engines import EngineError, Options, Waiting, Watch
from seed_init.proof.sweeping.ledger import Folder
from seed_init.proof.sweeping.plan import Task

TICK = 0.25
"""Seconds between two questions to Ray."""

KNOCK = 10.0
"""Seconds that a cluster has to answer at its address."""

OF_THE_NODE = ("CUDA_VISIBLE_DEVICES", "HOSTNAME", "TMPDIR", "TMP", "TEMP", "XDG_RUNTIME_DIR")
"""Variables of which the node's value holds and not the submitter's."""

START = """\
import sys
from seed_init.proof.running import launcher
launcher.end_with_parent()
from seed_init.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The program of a run: a worker that is killed takes the run with it."""


def run(folder: Folder, tasks: Sequence[Task], options: Options, watch: Watch) -> None:
    """Make runs, and wait until each of them is over.

    Args:
        folder: the folder of the sweep, which the nodes see at the same path.
        tasks: the runs that have not ended well.
        options: `jobs` and `gpus_per_run` are used.
        watch: told on what the runs are made, and how far they are.

    Raises:
        EngineError: Ray is not installed, or its cluster does not answer.
        OSError: the folder cannot be written.
    """
    # Ray reports lost workers on stdout, where a reader expects the result of the sweep.
    with contextlib.redirect_stdout(sys.stderr), _connected() as ray:
        _make(ray, folder, tasks, options, watch)


def refuse(options: Options) -> None:
    """Refuse what Ray cannot do here.

    Raises:
        EngineError: Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise EngineError(
            f"Ray is not there: --on ray needs the package ray in {sys.executable}; pip install ray"
        )


@contextlib.contextmanager
def _connected() -> Iterator[Any]:
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise EngineError(
            f"Ray cannot be imported: {error}; install it again, and what it needs"
        ) from None
    address = os.environ.get("RAY_ADDRESS", "")
    _knock(address)
    # A Ray that is started for one sweep needs no dashboard. Ray's client knows no such option.
    options = {} if "://" in address else {"include_dashboard": False}
    try:
        # Without an address, Ray looks for RAY_ADDRESS and then for a cluster on this machine.
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except Exception as error:  # of many kinds, and bare ones
        raise _unreachable(str(error)) from None
    try:
        yield ray
    finally:
        with signals.held():
            ray.shutdown()


def _knock(address: str) -> None:
    """Refuse an address at which nobody answers: Ray itself waits there for many minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), KNOCK).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(getattr(error, "strerror", None) or str(error)) from None


def _unreachable(told: str) -> EngineError:
    address = os.environ.get("RAY_ADDRESS", "")
    where = f" at RAY_ADDRESS={address}" if address else ""
    reason = engines.last_line(told, "it does not say why")
    return EngineError(
        f"Ray cannot be reached{where}: {reason}; start a cluster, or unset RAY_ADDRESS"
    )


def _make(ray: Any, folder: Folder, tasks: Sequence[Task], options: Options, watch: Watch) -> None:
    resources = ray.cluster_resources()
    gpus = options.gpus_per_run or 0
    if gpus > resources.get("GPU", 0):
        raise EngineError(
            f"--gpus-per-run {gpus} is more than Ray has, which is "
            f"{resources.get('GPU', 0):g}; give a smaller number"
        )
    nodes = sum(node["Alive"] for node in ray.nodes())
    watch.say(f"Ray has {counted(nodes, 'node')} with {resources.get('CPU', 0):g} CPUs")
    # Ray tries a run for ever that the node's memory does not suffice for, unless the number is 0
    # (https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html).
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_task())
    environment = in_place.given_environment()
    waiting = Waiting(folder, tasks, watch)
    to_submit = list(tasks)
    going: dict[Any, Task] = {}
    try:
        while to_submit or going:
            while to_submit and len(going) < (options.jobs or len(tasks)):
                task = to_submit.pop(0)
                words = engines.words_of(folder, task)
                words[1:3] = ["-c", START]
                going[remote.remote(words, environment, OF_THE_NODE, str(folder.path))] = task
            done, _ = ray.wait(list(going), timeout=TICK)
            signals.check()
            for reference in done:
                _end(ray, reference, going.pop(reference), waiting)
            watch.tell(f"{waiting.text()}; Ray: {counted(len(going), 'task')}")
    except BaseException:
        for reference in going:
            ray.cancel(reference)
        if going:
            ray.wait(list(going), num_returns=len(going), timeout=15)
        raise


def _end(ray: Any, reference: Any, task: Task, waiting: Waiting) -> None:
    why = _why(ray, reference)
    if why is None:
        waiting.drop(task)
    else:
        waiting.lose({task: why})  # a run that has failed has a row of its own, which stays


def _why(ray: Any, reference: Any) -> str | None:
    """Return why a run may have no `run.json` though its task is over; None if it ended well."""
    try:
        status, told = ray.get(reference)
    except ray.exceptions.RayError as error:
        return f"Ray has lost the run: {engines.last_line(str(error), type(error).__name__)}"
    return None if status == 0 else f"the run could not be made on {told}"


def _task() -> Any:
    """Return the function that a worker calls: Ray sends a function in a function as it is."""

    def make_a_run(
        words: list[str], given: dict[str, str], of_the_node: tuple[str, ...], folder: str
    ) -> tuple[int, str]:
        import os
        import platform
        import subprocess

        own = {name: value for name, value in os.environ.items() if name in of_the_node}
        others = {name: value for name, value in given.items() if name not in of_the_node}
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env={**others, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            return 127, f"{platform.node()}: {error}"
        try:
            _, told = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        lines = told.decode(errors="backslashreplace").strip().splitlines()[-1:]
        return process.returncode, f"{platform.node()}: {(lines or ['nothing on stderr'])[0]}"

    return make_a_run
