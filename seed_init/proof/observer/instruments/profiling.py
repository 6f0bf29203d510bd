# SPDX-License-Identifier: Apache-2.0
"""The instrument `profiling` writes how much time each operator takes, after `timing`'s warm-up.

One event, {"event": "profile"}: of each operator the seconds of its own, without those that it
calls, on the CPU and on the device, and its calls.
"""

from seed_init.proof.observer import callbacks


def start() -> None:
    """Wait for torch, and for the end."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
    callbacks.at_end(f"{__name__}_torch.finish")
