# SPDX-License-Identifier: Apache-2.0
"""The instrument `stopping` ends a program after its first training steps.

    plan["stop"]    {"calls": N, "optimizer": its number, or null for whichever has made N first}

It comes last in a plan, so that every other instrument has seen the last step.
"""

from seed_init.proof.observer import callbacks


def start() -> None:
    """Wait for torch."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
