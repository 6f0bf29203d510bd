# SPDX-License-Identifier: Apache-2.0
"""The instrument `stopping` ends a program after its first training steps.

    plan["stop"]    {"calls": N, "optimizer": its number, or null for whichever has made N first,
                     "signal": by which the process ends as if somebody had sent that signal; where
                     there is none, the process ends by itself and writes its end}

It comes last in a plan, so that every other instrument has seen the last step. If a signal is sent,
the trace has a file `stopped` from just before.
"""

from seed_init.proof.observer import callbacks

STOPPED = "stopped"
"""The file that says that a signal was sent."""


def start() -> None:
    """Wait for torch."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
