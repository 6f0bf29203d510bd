# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `timing` needs torch: it reads the clocks after each step."""

import os
import time
import weakref
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from seed_init.libraries import torch_flags
from seed_init.proof.observer import core, ending, keeping
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.tensors import generators, optimizers
from seed_init.proof.observer.tensors.fingerprints import number, wait_for
from seed_init.proof.observer.torch_hooks import unless_compiling


def install() -> None:
    """Follow every optimizer of this process."""
    optimizers.watch()
    os.register_at_fork(after_in_child=core.guarded(_leave_to_parent))
    register_optimizer_step_post_hook(unless_compiling(core.guarded(_after)))


def _leave_to_parent() -> None:
    """Begin anew in a forked child: what it trains is its own."""
    keeping.for_ever(list(_series.values()))
    _series.clear()


class Mark(NamedTuple):
    """The end of a step, on the clock of this process and on the clock of the device."""

    wall: float
    event: Any  # torch.cuda.Event; None where the parameters are not on CUDA


class Series:
    """The steps of one optimizer.

    Attributes:
        optimizer: a weak reference to it.
        digest: of its parameters, when it has gone.
        calls: of its step().
        marks: the end of the last step of the warm-up, and of each one after it.
        device: of its first parameter.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.digest = ""
        # Its own list of groups, so that what is in them lives no longer than it would.
        gone = core.guarded(self._gone)
        weakref.finalize(optimizer, gone, os.getpid(), optimizer.param_groups)
        self.calls = 0
        self.marks: list[Mark] = []
        parameters = optimizers.parameters(optimizer)
        self.device: Any = parameters[0].device if parameters else None
        self.is_cuda = self.device is not None and self.device.type == "cuda"

    def _gone(self, pid: int, groups: list[Any]) -> None:
        if os.getpid() == pid:  # else it is a worker's copy
            self.digest = _digest_of(groups)

    def last_digest(self) -> str:
        """Return the digest of the optimizer's parameters, as they are now or were when it went."""
        optimizer = self.optimizer()
        return self.digest if optimizer is None else _digest_of(optimizer.param_groups)

    def mark(self) -> None:
        """Note the end of a step. The device is not waited for."""
        event = None
        if self.is_cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self.device))
        self.marks.append(Mark(time.perf_counter(), event))

    def seconds(self) -> list[float]:
        """Return the seconds of each step. The device must have come to the last mark."""
        pairs = zip(self.marks, self.marks[1:])
        if self.is_cuda:
            return [mark.event.elapsed_time(following.event) / 1e3 for mark, following in pairs]
        return [following.wall - mark.wall for mark, following in pairs]


_series: dict[int, Series] = {}
_finished = False


def all_series() -> list[Series]:
    """Return the steps of every optimizer that has made a step."""
    return list(_series.values())


def _after(optimizer: Any, arguments: Any, keywords: Any) -> None:
    if is_capturing():
        return
    number = optimizers.number(optimizer)
    series = _series.get(number)
    if series is None:
        series = _series[number] = Series(optimizer)
    series.calls += 1
    past = series.calls - core.plan["warmup"]
    if past < 0:
        return
    series.mark()
    for function in after_step:
        function(past)
    if past >= core.plan["steps"]:
        _end()


after_step: "list[Callable[[int], None]]" = []
"""Called after each step with its number, 0 for the last one of the warm-up: by `profiling`."""


def _end() -> None:
    finish()
    ending.end_early()


def finish() -> None:
    """Write what was seen; when called again, do nothing."""
    global _finished
    if _finished:
        return
    _finished = True
    # The one that came furthest; of several, the first.
    series = max(_series.values(), key=lambda candidate: candidate.calls, default=None)
    if series is not None and series.is_cuda:
        torch.cuda.synchronize(series.device)
    core.journal.write(
        "timing",
        calls=series.calls if series is not None else 0,
        seconds=series.seconds() if series is not None else [],
        clock="cuda" if series is not None and series.is_cuda else "wall",
        memory=_memory(),
        flags=_flags(),
        machine=_machine(),
        # Last: it takes memory itself.
        digest=_digest() if series is not None else None,
    )


def _memory() -> dict[str, int | None]:
    """Return the most bytes that this process, and torch's allocator on CUDA devices, had."""
    cuda = torch.cuda
    devices = range(cuda.device_count()) if cuda.is_initialized() else ()
    return {
        "resident": _resident(),
        "allocated": sum(map(cuda.max_memory_allocated, devices)) if devices else None,
        "reserved": sum(map(cuda.max_memory_reserved, devices)) if devices else None,
    }


def _resident() -> int | None:
    """Return the most bytes that this program had.

    getrusage's ru_maxrss survives execve: it may be the starter's (kernel/exec.c, exec_mmap).
    """
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _flags() -> dict[str, str]:
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    return torch_flags.now() | ({"CUBLAS_WORKSPACE_CONFIG": workspace} if workspace else {})


def _machine() -> dict[str, Any]:
    cuda = torch.cuda
    # Not where it is not used: to ask for the name starts it.
    devices = range(cuda.device_count()) if cuda.is_initialized() else ()
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if devices else None,
        "gpus": [cuda.get_device_name(number) for number in devices],
        "threads": torch.get_num_threads(),
    }


def _digest() -> str:
    """Return the digest of every optimizer's parameters and of the generators' positions."""
    parameters = [series.last_digest() for series in _series.values()]
    return _short(repr((parameters, sorted(generators.positions().items()))).encode())


def _digest_of(groups: list[Any]) -> str:
    parameters = [parameter for group in groups for parameter in group["params"]]
    wait_for(parameters)
    return _short(repr(list(map(number, parameters))).encode())


def _short(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
