# SPDX-License-Identifier: Apache-2.0
"""The instrument `end` writes how a process ends: its generators and its final parameters.

There is no hook in a training step here: the parameters are read when their optimizer goes, or at
exit (`end_torch`). So a run with this instrument alone shows whether the other instruments change
a program.
"""

from typing import Any

from seed_init.hook import state
from seed_init.proof.observer import callbacks, core, drawing, units
from seed_init.proof.observer.tensors import generators
from seed_init.proof.trace.units import is_random


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
        generators=_positions(),
        final=half.final() if half is not None else [],
        compiled=half is not None and half.is_compiled(),
    )


def _positions() -> dict[str, str]:
    """Return where the generators stand, as far as that can be the same in another run."""
    if units.are_left_by_units():
        return {}
    positions = generators.positions()
    if not is_random(state.path):
        return positions
    # A worker that nobody has told its path starts elsewhere in each run. That matters if it draws.
    drawn = {drawing.PACKAGES[library] for library in drawing.drawn({})}
    return {name: position for name, position in positions.items() if name in drawn}
