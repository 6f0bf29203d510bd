# SPDX-License-Identifier: Apache-2.0
"""The instrument `backends` puts a simpler backend in the place of torch.compile's own, inductor.

    plan["backend"]    "eager", "aot_eager", or "inductor", which leaves everything as it is

It writes which backends were asked to compile a graph:

    {"event": "backend", "asked": "inductor", "used": "eager"}

A backend that the program has named itself is left as it is, and written down.
"""

from seed_init.proof.observer import callbacks


def start() -> None:
    """Wait for torch."""
    callbacks.after_import("torch", f"{__name__}_torch.install")
