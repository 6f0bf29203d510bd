"""The optimizers of this process, numbered in the order in which they were made."""

import weakref
from collections.abc import Callable
from typing import Any

import torch

from seed_init import callers

_numbers: "weakref.WeakKeyDictionary[torch.optim.Optimizer, int]" = weakref.WeakKeyDictionary()
_count = 0
_made: "list[Callable[[torch.optim.Optimizer], None]]" = []


def number(optimizer: torch.optim.Optimizer) -> int:
    """The number of an optimizer; one that came past `watch`, from a pickle, gets the next."""
    global _count
    if optimizer not in _numbers:
        _numbers[optimizer] = _count
        _count += 1
    return _numbers[optimizer]


def parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters of an optimizer, in order."""
    return [each for group in optimizer.param_groups for each in group["params"]]


def watch(made: "Callable[[torch.optim.Optimizer], None] | None" = None) -> None:
    """Number optimizers when they are made, from now on.

    Args:
        made: called with each one.
    """
    if made is not None:
        _made.append(made)
    original: Any = torch.optim.Optimizer.__init__
    if hasattr(original, "__wrapped__"):
        return

    @callers.like(original)
    def init(self: torch.optim.Optimizer, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        number(self)
        for function in _made:
            function(self)

    torch.optim.Optimizer.__init__ = init
