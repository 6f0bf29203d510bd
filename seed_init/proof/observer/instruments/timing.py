# SPDX-License-Identifier: Apache-2.0
"""The instrument `timing` writes how long each step takes, and ends the program after enough steps.

    plan["warmup"]      steps that are not timed
    plan["steps"]       steps that are, after which the process ends

One event, {"event": "timing"}, written when there are enough steps, or at the end of a program
that has made fewer. What a step pays is two readings of a clock.

A step is timed from the end of one call of an optimizer's step() to the end of the next call of the
same optimizer: data, forward, backward and what other optimizers do in between belong to it.
"""

from seed_init.proof.observer import callbacks


def start() -> None:
    """Wait for torch, and for the end."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
    callbacks.at_end(f"{__name__}_torch.finish")
