# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `window` needs torch: it counts the optimizer's calls."""

from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from seed_init.hook import callers
from seed_init.proof.observer import core, user_code
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.closely import state
from seed_init.proof.observer.tensors import digests, optimizers
from seed_init.proof.observer.torch_hooks import readable_twice, unless_compiling


def install() -> None:
    """Count the calls of the optimizer, and write the losses when backward() gets them."""
    optimizers.watch()
    window, calls = core.plan["window"], {"next": 0}

    @core.guarded
    def after(optimizer: Any, arguments: Any, keywords: Any) -> None:
        # `steps` gives no number to a call in a capture.
        if is_capturing() or optimizers.number(optimizer) != window["optimizer"]:
            return
        if calls["next"] == window["call"]:
            state.close_window()
        calls["next"] += 1
        if calls["next"] == window["call"]:
            state.open_window()

    register_optimizer_step_post_hook(unless_compiling(after))
    backward = torch.autograd.backward

    @core.guarded
    def see(roots: Any) -> None:
        source = user_code.source(user_code.user_frame())
        state.backward_from = source
        for root in [roots] if isinstance(roots, torch.Tensor) else roots:
            state.write("loss", digest=digests.digest(root), **source)

    @callers.like(backward)
    def seeing(tensors: Any, *arguments: Any, **keywords: Any) -> None:
        tensors = readable_twice(tensors)
        if state.is_open:
            see(tensors)
        backward(tensors, *arguments, **keywords)

    torch.autograd.backward = seeing
