# SPDX-License-Identifier: Apache-2.0
"""This module numbers the optimizers of this process in the order in which they were made."""

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch

from seed_init.hook import callers

Value = TypeVar("Value")


class ByIdentity(Generic[Value]):
    """Values by object, for as long as the object lives.

    A class of the program's may compare its objects, or forbid hashing them: here only identity
    counts.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[weakref.ref[Any], Value]] = {}

    def get(self, key: Any) -> "Value | None":
        """Return the value of an object; None where the object has none."""
        kept = self._kept.get(id(key))
        return kept[1] if kept is not None and kept[0]() is key else None

    def values(self) -> list[Value]:
        """Return the values of all objects that live."""
        return [value for _, value in self._kept.values()]

    def set(self, key: Any, value: Value) -> None:
        """Give an object a value."""
        identity = id(key)

        def gone(reference: "weakref.ref[Any]") -> None:
            # Its id may have gone to another one meanwhile.
            kept = self._kept.get(identity)
            if kept is not None and kept[0] is reference:
                del self._kept[identity]

        self._kept[identity] = weakref.ref(key, gone), value


_numbers: "ByIdentity[int]" = ByIdentity()
_count = 0
_callbacks: "list[Callable[[torch.optim.Optimizer], None]]" = []
_watched = False


def number(optimizer: torch.optim.Optimizer) -> int:
    """Return the number of an optimizer; an unpickled optimizer gets the next number here."""
    global _count
    known = _numbers.get(optimizer)
    if known is None:
        known = _count
        _count += 1
        _numbers.set(optimizer, known)
    return known


def parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the parameters of an optimizer, in order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def watch(callback: "Callable[[torch.optim.Optimizer], None] | None" = None) -> None:
    """Number optimizers when they are made, from now on.

    Args:
        callback: called with each new optimizer.
    """
    global _watched
    if callback is not None:
        _callbacks.append(callback)
    if _watched:
        return
    _watched = True
    original: Any = torch.optim.Optimizer.__init__

    @callers.like(original)
    def init(self: torch.optim.Optimizer, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        number(self)
        for function in _callbacks:
            function(self)

    torch.optim.Optimizer.__init__ = init
