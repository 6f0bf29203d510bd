# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `flags` needs torch: it reads torch's flags."""

from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook

from seed_init.libraries import torch_flags
from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.torch_hooks import unless_compiling


def install() -> None:
    """Write the flags now, and write what has changed after each step and at the end."""
    torch_flags.follow()
    last: dict[str, str] = {}

    @core.guarded
    def write_changed() -> None:
        now = torch_flags.now()
        changed = {name: value for name, value in now.items() if last.get(name) != value}
        if changed:
            # The line is known for the flags that have a setter of Python's own.
            source = next(
                (torch_flags.set_at[name] for name in changed if name in torch_flags.set_at), None
            )
            core.journal.write("flags", values=changed, place=source if last else None)
            last.update(now)

    def after(optimizer: Any, arguments: Any, keywords: Any) -> None:
        write_changed()

    write_changed()
    register_optimizer_step_post_hook(unless_compiling(after))
    callbacks.at_end(write_changed)
