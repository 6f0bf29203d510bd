# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `stopping` needs torch: it counts the steps."""

import os
from collections import Counter
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook

from seed_init.proof.observer import callbacks, core, ending
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.instruments import stopping
from seed_init.proof.observer.tensors import optimizers
from seed_init.proof.observer.torch_hooks import unless_compiling

_calls: "Counter[int]" = Counter()
"""Number of an optimizer -> how many steps it has made."""


def install() -> None:
    """Follow every optimizer of this process."""
    optimizers.watch()
    os.register_at_fork(after_in_child=_calls.clear)
    register_optimizer_step_post_hook(unless_compiling(_after))


def _after(optimizer: Any, arguments: Any, keywords: Any) -> None:
    number = _signal_of(optimizer)
    if number:
        # In no guard: the program's own handler may raise whatever it likes.
        os.kill(os.getpid(), number)


@core.guarded
def _signal_of(optimizer: Any) -> int:
    """Return the signal that this process gets now; 0 for none."""
    if is_capturing():
        return 0
    number, stop = optimizers.number(optimizer), core.plan["stop"]
    _calls[number] += 1
    if stop["optimizer"] not in (None, number) or _calls[number] < stop["calls"]:
        return 0
    signal: int = stop.get("signal", 0)
    if not signal:
        ending.end_early()
    return signal if _is_first() else 0


def _is_first() -> bool:
    """Return whether this process has not been stopped yet, and note that it is from now on."""
    global _is_stopped
    if _is_stopped:
        return False
    _is_stopped = True
    steps: Any = callbacks.loaded("seed_init.proof.observer.instruments.steps_torch")
    if steps is not None:
        steps.finish()
    (core.journal.directory / stopping.STOPPED).touch()
    return True


_is_stopped = False
