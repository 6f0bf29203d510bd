# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `profiling` needs torch: it runs torch.profiler."""

import os
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from seed_init.proof.observer import core, keeping
from seed_init.proof.observer.instruments import timing_torch

WARMUP = 2
"""Steps that the profiler sees and forgets: its own start is in them."""

_profiler: Any = None


def install() -> None:
    """Start at the end of the warm-up; in a forked child, start nothing."""
    timing_torch.after_step.append(core.guarded(_step))
    os.register_at_fork(after_in_child=core.guarded(_leave_to_parent))


def _leave_to_parent() -> None:
    """Forget the profiler in a forked child, without stopping or freeing it."""
    global _profiler
    keeping.for_ever(_profiler)
    _profiler = None


def _step(number: int) -> None:
    if _profiler is None:
        _begin()
    # The last step is stopped at, and must not begin a new cycle.
    elif number < core.plan["steps"]:
        _profiler.step()


def _begin() -> None:
    global _profiler
    activities = [ProfilerActivity.CPU]
    if any(series.is_cuda for series in timing_torch.all_series()):
        activities.append(ProfilerActivity.CUDA)
    active = max(1, core.plan["steps"] - WARMUP)
    _profiler = profile(
        activities=activities, schedule=schedule(wait=0, warmup=WARMUP, active=active)
    )
    _profiler.start()


def finish() -> None:
    """Write what was measured."""
    if _profiler is None:
        return
    _profiler.stop()
    core.journal.write(
        "profile",
        operators={
            entry.key: {
                "cpu": entry.self_cpu_time_total / 1e6,
                # self_cuda_time_total before torch 2.4 (torch/autograd/profiler_util.py).
                "device": getattr(entry, "self_device_time_total", 0) / 1e6,
                "calls": entry.count,
            }
            for entry in _profiler.key_averages()
            # On CUDA kernels have entries of their own: they would be counted twice.
            if entry.device_type == torch.autograd.DeviceType.CPU
        },
    )
