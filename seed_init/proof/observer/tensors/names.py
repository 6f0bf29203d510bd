# SPDX-License-Identifier: Apache-2.0
"""This module finds the names of parameters and buffers among the program's own modules."""

import gc
import weakref
from collections import Counter
from typing import Any

import torch

WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile, FSDP and activation checkpointing put into names."""

Buffer = tuple[str, "weakref.ref[torch.nn.Module]", str]
"""A buffer: its name, the module that has it, and its name there."""


class Root:
    """A module that no other one contains.

    Attributes:
        title: the name of its class.
        names: of its parameters, by their ids.
        parameters: the same ids, to a reference: an id is used again when its object is gone.
        buffers: its buffers.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.title = type(module).__name__
        named = list(module.named_parameters())
        self.names = {id(parameter): plain(name, module) for name, parameter in named}
        self.parameters = {id(parameter): weakref.ref(parameter) for _, parameter in named}
        self.buffers: list[Buffer] = []
        for path, inner in module.named_modules():
            for name in inner._buffers:
                full = plain(f"{path}.{name}" if path else name, module)
                self.buffers.append((full, weakref.ref(inner), name))

    def has(self, parameter: torch.Tensor) -> bool:
        """Return whether a tensor is a parameter of this module."""
        reference = self.parameters.get(id(parameter))
        return reference is not None and reference() is parameter


class Names:
    """Names by tensor, found among the modules that are alive.

    A module does not know its parents, and modules that are copied or unpickled pass no hook, so
    they are looked for among everything that the garbage collector knows (all but what the
    program has frozen with gc.freeze).
    """

    def __init__(self) -> None:
        self._roots: list[Root] = []

    def of(self, parameters: list[torch.Tensor]) -> list[str | None]:
        """Return the qualified name of each parameter; None where no module has the parameter.

        Parameters of one model have the names that its named_parameters() gives. Where parameters
        belong to several models, the name begins with the class of the model, and with a number
        where several models have that class.
        """
        owners = self._owners(parameters)
        prefixes = _prefixes([owner for owner in owners if owner is not None])
        return [
            None if owner is None else prefixes[id(owner)] + owner.names[id(parameter)]
            for owner, parameter in zip(owners, parameters)
        ]

    def buffers(self, parameters: list[torch.Tensor]) -> list[Buffer]:
        """Return the buffers of the models that have these parameters."""
        owners = [owner for owner in self._owners(parameters) if owner is not None]
        prefixes = _prefixes(owners)
        return [
            (prefixes[id(owner)] + name, module, attribute)
            for owner in {id(owner): owner for owner in owners}.values()
            for name, module, attribute in owner.buffers
        ]

    def _owners(self, parameters: list[torch.Tensor]) -> list[Root | None]:
        """Return the model of each parameter; of several, the model with most of the parameters."""
        if not all(any(root.has(parameter) for root in self._roots) for parameter in parameters):
            self._roots = [Root(module) for module in _roots()]
        counts = {id(root): sum(map(root.has, parameters)) for root in self._roots}
        # The order in which they are found depends on when garbage was collected.
        best = sorted(
            self._roots, key=lambda root: (-counts[id(root)], len(root.names), root.title)
        )
        best = [root for root in best if counts[id(root)]]
        return [
            next((root for root in best if root.has(parameter)), None) for parameter in parameters
        ]


def plain(name: str, root: torch.nn.Module | None = None) -> str:
    """Return a name without what wrappers put into it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    while isinstance(root, torch.nn.Module) and name.startswith("module."):
        if isinstance(root, (torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel)):
            name = name.removeprefix("module.")
            break
        # A wrapper around a wrapper: torch.compile(DistributedDataParallel(...)).
        root = getattr(root, "_orig_mod", None)
    return name


def _roots() -> list[torch.nn.Module]:
    """Return the modules that have parameters and that no other module contains."""
    classes: dict[type, bool] = {}
    modules: list[Any] = []
    for candidate in gc.get_objects():
        kind = type(candidate)
        is_module = classes.get(kind)
        if is_module is None:
            is_module = classes[kind] = issubclass(kind, torch.nn.Module)
        # One whose __init__ has not run, or has failed, has no dictionary of parameters.
        if is_module and "_parameters" in vars(candidate):
            modules.append(candidate)
    inner = {id(child) for module in modules for child in vars(module).get("_modules", {}).values()}
    return [
        module
        for module in modules
        if id(module) not in inner and next(iter(module.parameters()), None) is not None
    ]


def _prefixes(owners: list[Root]) -> dict[int, str]:
    """Return a prefix by root, in the order of their first parameters; "" for a single root."""
    roots = list({id(owner): owner for owner in owners}.values())
    if len(roots) == 1:
        return {id(roots[0]): ""}
    shared, seen = Counter(root.title for root in roots), Counter[str]()
    prefixes = {}
    for root in roots:
        seen[root.title] += 1
        number = f"[{seen[root.title] - 1}]" if shared[root.title] > 1 else ""
        prefixes[id(root)] = f"{root.title}{number}."
    return prefixes
