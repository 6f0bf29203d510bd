# SPDX-License-Identifier: Apache-2.0
"""The instrument `resuming` writes what a program that is resumed needs beside its parameters.

Events:

- "attempt": how often the job was restarted, as the hook knows it (SEED_INIT_RESTART).
- "epoch": a DataLoader begins an epoch, and where the generators stand then; once more when its
  first batch is asked for.
- "state": before a step, the options of the optimizer and the digest of its state, the scale of a
  GradScaler, and the batches that DataLoaders gave since the step before.
"""

from seed_init.hook import state
from seed_init.proof.observer import callbacks, core


def start() -> None:
    """Write the attempt, and wait for torch."""
    core.journal.write("attempt", restart=list(state.settings.restart[1:]))
    callbacks.after_import("torch", f"{__name__}_torch.install")
