# SPDX-License-Identifier: Apache-2.0
"""The instrument `end` writes how a process ends: its generators and its final parameters.

There is no hook in a training step here: the parameters are read when their optimizer goes, or at
exit (`end_torch`). So a run with this instrument alone shows whether the other instruments change
a program.
"""

from typing import Any

from seed_init.proof.observer import callbacks, core, units
from seed_init.proof.observer.tensors import generators


def start() -> None:
    """Wait for optimizers, and for the end."""
    units.start()
    callbacks.after_import("torch", f"{__name__}_torch.install")
    callbacks.at_end(finish)


def finish() -> None:
    """Write the end: where the generators stand, and the digests of the final parameters."""
    half: Any = callbacks.loaded(f"{__name__}_torch")
    core.journal.write(
        "end",
        generators={} if units.are_left_by_units() else generators.positions(),
        final=half.final() if half is not None else [],
        compiled=half is not None and half.is_compiled(),
    )
