# SPDX-License-Identifier: Apache-2.0
"""The instrument `steps` writes every training step: gradients, parameters, losses, generators.

What is written, and how, is in `steps_torch`, which is loaded after torch.
"""

from seed_init.proof.observer import callbacks


def start() -> None:
    """Wait for torch, and for the end."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
    # Now, so that it comes before what the instruments after this one do at the end.
    callbacks.at_end(f"{__name__}_torch.finish")
