# SPDX-License-Identifier: Apache-2.0
"""This module writes which module of torch.nn runs in the window, its inputs and its outputs."""

import weakref
from typing import Any

from torch.nn.modules import module as hooks

from seed_init.proof.observer import core
from seed_init.proof.observer.closely import state
from seed_init.proof.observer.tensors import names
from seed_init.proof.observer.tensors.digests import digest
from seed_init.proof.observer.torch_hooks import unless_compiling

stack: "list[str]" = []
"""Qualified names of the modules that are running, outermost first."""

_names: "dict[int, tuple[str, Any]]" = {}


def install() -> None:
    """Follow every module while the window is open."""
    handles: list[Any] = []

    def opened() -> None:
        # Forward hooks only: global backward hooks break modules that work in place.
        handles.append(hooks.register_module_forward_pre_hook(unless_compiling(before)))
        handles.append(
            hooks.register_module_forward_hook(
                unless_compiling(after), with_kwargs=True, always_call=True
            )
        )

    def closed() -> None:
        while handles:
            handles.pop().remove()
        stack.clear()

    state.during(opened, closed)


@core.guarded
def before(module: Any, arguments: Any) -> None:
    """Write the inputs of a module that begins."""
    stack.append(name_of(module))
    state.write("module", name=stack[-1], phase="input", digest=digest(arguments))


@core.guarded
def after(module: Any, arguments: Any, *rest: Any) -> None:
    """Write the outputs of a module that has ended.

    Args:
        module: the module.
        arguments: its positional arguments.
        rest: its keyword arguments, which no hook before the call gets, and the output; only None
            where the module failed (torch/nn/modules/module.py, _call_impl).
    """
    if stack:
        fields = {"digest": digest(rest[-1]), "keywords": digest(rest[:-1])}
        state.write("module", name=stack.pop(), phase="output", **fields)


def name_of(module: Any) -> str:
    """Return the qualified name of a module; its class's name where no other module has it."""
    known = _names.get(id(module))
    if known is None or known[1]() is not module:
        _find_names()
        known = _names.get(id(module))
    return known[0] if known is not None else type(module).__name__


def _find_names() -> None:
    roots = names._roots()
    for root in roots:
        prefix = f"{type(root).__name__}." if len(roots) > 1 else ""
        for path, inner in root.named_modules():
            name = names.plain(f"{prefix}{path}", root).rstrip(".") or type(root).__name__
            _names[id(inner)] = (name, weakref.ref(inner))
