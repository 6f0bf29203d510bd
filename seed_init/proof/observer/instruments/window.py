# SPDX-License-Identifier: Apache-2.0
"""The instrument `window` looks closely at one step: batches, draws, modules, operators, losses.

For a second look at a step at which two runs were seen to differ. The window opens when the call
before it has ended, or at the start for the first one, and closes when its call has ended. What
is seen is written in the order in which it happened, so that the first unequal event of two runs
is the first thing observed to differ.

The plan's option `window` says which: {"optimizer": 0, "call": 12, "operators": true}.
"""

from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.closely import draws, state

CLOSELY = "seed_init.proof.observer.closely"


def start() -> None:
    """Open the window now for the first call; else wait for the end of the call before."""
    window = core.plan["window"]
    draws.start()
    callbacks.after_import("torch", f"{CLOSELY}.batches.install")
    callbacks.after_import("torch", f"{CLOSELY}.modules.install")
    if window["operators"]:
        callbacks.after_import("torch", f"{CLOSELY}.operators.install")
    callbacks.after_import("torch", f"{__name__}_torch.install")
    if window["call"] == 0:
        state.open_window()
