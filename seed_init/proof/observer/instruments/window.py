# SPDX-License-Identifier: Apache-2.0
"""One step, seen finely: batches, draws by line, modules, operators and losses, in their order.

For a second look at a step at which two runs were seen to differ. The window opens when the call
before it has ended, or at the start for the first one, and closes when its call has ended. What
is seen is written in the order in which it happened, so that the first unequal event of two runs
is the first thing observed to differ.

The plan's option `window` says which: {"optimizer": 0, "call": 12, "operators": true}.
"""

from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.closely import batches, draws, modules, state


def start() -> None:
    """Open the window now for the first call; else wait for the end of the call before."""
    draws.start()
    callbacks.after_import("torch", batches.install)
    callbacks.after_import("torch", modules.install)
    if options()["operators"]:
        callbacks.after_import("torch", _see_operators)
    callbacks.after_import("torch", install)
    if options()["call"] == 0:
        state.open_window()


def _see_operators() -> None:
    # Not before: torch may not be there to be found at start-up, while `site` still reads .pth
    # files, or not at all; and a program that never imports it must not get it from us.
    from seed_init.proof.observer.closely import operators

    operators.install()


def options() -> dict[str, Any]:
    """Return the option `window` of the plan."""
    found: dict[str, Any] = core.plan["window"]
    return found


def install() -> None:
    """Count the calls of the optimizer, and write the losses when backward() gets them."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from seed_init.proof.observer.tensors import optimizers
    from seed_init.proof.observer.torch_hooks import readable_twice, unless_compiling

    optimizers.watch()
    calls = {"next": 0}

    @core.guarded
    def after(optimizer: Any, arguments: Any, keywords: Any) -> None:
        # `steps` gives no number to a call in a capture.
        if is_capturing() or optimizers.number(optimizer) != options()["optimizer"]:
            return
        if calls["next"] == options()["call"]:
            state.close_window()
        calls["next"] += 1
        if calls["next"] == options()["call"]:
            state.open_window()

    register_optimizer_step_post_hook(unless_compiling(after))
    backward = torch.autograd.backward

    @core.guarded
    def see(roots: Any) -> None:
        source = user_code.source(user_code.user_frame())
        state.backward_from = source
        for root in [roots] if isinstance(roots, torch.Tensor) else roots:
            state.write("loss", digest=batches.digest(root), **source)

    @callers.like(backward)
    def seeing(tensors: Any, *arguments: Any, **keywords: Any) -> None:
        tensors = readable_twice(tensors)
        if state.is_open:
            see(tensors)
        backward(tensors, *arguments, **keywords)

    torch.autograd.backward = seeing
