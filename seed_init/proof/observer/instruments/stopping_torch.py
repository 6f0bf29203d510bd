# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `stopping` needs torch: it counts the steps."""

import os
from collections import Counter
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook

from seed_init.proof.observer import core, ending
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.tensors import optimizers
from seed_init.proof.observer.torch_hooks import unless_compiling

_calls: "Counter[int]" = Counter()
"""Number of an optimizer -> how many steps it has made."""


def install() -> None:
    """Follow every optimizer of this process."""
    optimizers.watch()
    os.register_at_fork(after_in_child=_calls.clear)
    register_optimizer_step_post_hook(unless_compiling(core.guarded(_after)))


def _after(optimizer: Any, arguments: Any, keywords: Any) -> None:
    if is_capturing():
        return
    number, stop = optimizers.number(optimizer), core.plan["stop"]
    _calls[number] += 1
    if stop["optimizer"] in (None, number) and _calls[number] >= stop["calls"]:
        ending.end_early()
