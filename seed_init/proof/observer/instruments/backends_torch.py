# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `backends` needs torch: it stands between Dynamo and its backends.

`torch.compile` makes an object of one of two classes, whatever mode and options it is given, and
Dynamo calls that object with each graph (torch/__init__.py, _TorchCompileInductorWrapper and
_TorchCompileWrapper). So nothing is imported here that the program does not import by itself, and
`torch.compile`, `Module.compile` and a name that the program took from torch before are all seen.
"""

from collections.abc import Callable
from typing import Any

import torch

from seed_init.hook import callers
from seed_init.proof.observer import core

INDUCTOR = "inductor"

_written: set[tuple[str, str]] = set()


def install() -> None:
    """Replace inductor by the backend of the plan, and note each backend that is asked."""
    rung = core.plan["backend"]
    _replace(torch._TorchCompileInductorWrapper, lambda wrapper: INDUCTOR, rung)
    _replace(torch._TorchCompileWrapper, _name, rung)


def _replace(wrapper: Any, name_of: Callable[[Any], str], rung: str) -> None:
    original = wrapper.__call__

    @callers.like(original)
    def compiling(self: Any, graph: Any, inputs: Any) -> Any:
        name = name_of(self)
        if name != INDUCTOR or rung == INDUCTOR:
            _note(name, name)
            return original(self, graph, inputs)
        _note(name, rung)
        from torch._dynamo.backends.registry import lookup_backend

        return lookup_backend(rung)(graph, inputs)

    wrapper.__call__ = compiling


def _name(wrapper: Any) -> str:
    """Return what a backend of the program's choice is called."""
    name: str = getattr(wrapper, "compiler_name", "another one")
    return name


@core.guarded
def _note(asked: str, used: str) -> None:
    """Write which backend was asked, and which one compiles, once each."""
    if (asked, used) not in _written:
        _written.add((asked, used))
        core.journal.write("backend", asked=asked, used=used)
