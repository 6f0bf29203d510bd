# SPDX-License-Identifier: Apache-2.0
"""The instrument `flags` writes torch's determinism flags at its import, and each later change."""

from seed_init.proof.observer import callbacks


def start() -> None:
    """Wait for torch."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
