# SPDX-License-Identifier: Apache-2.0
"""What the files of libraries have in common whose default generators one function seeds."""

import sys
from operator import attrgetter

from seed_init.hook import reseeding
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _plainly(function: "Callable[..., Any]", value: int) -> None:
    function(value)


class OneCall(Library):
    """A library that one function seeds.

    Args:
        module: the full name of the module that has the function.
        function: its name there, "random.seed" for that of an attribute.
        call: how to call it: with the function, and a seed, 0...4294967295.
    """

    def __init__(
        self,
        module: str,
        function: str,
        call: "Callable[[Callable[..., Any], int], None]" = _plainly,
    ) -> None:
        self._module, self._function, self._call = module, function, call
        self._original: Callable[..., Any] | None = None

    def seed(self, value: int) -> None:
        """Seed the library's default generator.

        Args:
            value: 0...4294967295.
        """
        self._call(self._original or self._find(), value)

    def watch(self) -> None:
        """Have the function ask us when a program calls it."""
        if self._original is None:
            self._original = self._find()
            stand_in = reseeding.asking(self._name(), self._original, self.seed)
            owner, _, name = self._function.rpartition(".")
            module = sys.modules[self._module]
            setattr(attrgetter(owner)(module) if owner else module, name, stand_in)

    def _find(self) -> "Callable[..., Any]":
        function: Callable[..., Any] = attrgetter(self._function)(sys.modules[self._module])
        return function

    def _name(self) -> str:
        return f"{self._module}.{self._function}"
