# SPDX-License-Identifier: Apache-2.0
"""The determinism flags of torch at its import, and each later change."""

from typing import Any

from seed_init.proof.observer import callbacks, core


def start() -> None:
    """Wait for torch."""
    callbacks.after_import("torch", install)


def install() -> None:
    """Write the flags now, and look at them after each step and at the end."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from seed_init.libraries import torch_flags as library

    library.follow()
    last: dict[str, str] = {}

    @core.guarded
    def look() -> None:
        now = library.now()
        changed = {name: value for name, value in now.items() if last.get(name) != value}
        if changed:
            # Known of the flags that have a setter of Python's own.
            place = next((library.set_at[name] for name in changed if name in library.set_at), None)
            core.journal.write("flags", values=changed, place=place if last else None)
            last.update(now)

    def after(optimizer: Any, arguments: Any, keywords: Any) -> None:
        if not torch.compiler.is_compiling():
            look()

    look()
    register_optimizer_step_post_hook(after)
    callbacks.at_end(look)
