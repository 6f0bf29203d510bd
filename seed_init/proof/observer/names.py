"""The names of parameters and buffers, as the program's own modules have them."""

import gc
import weakref
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch

WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile, FSDP and activation checkpointing put into names."""

Buffer = tuple[str, "weakref.ref[torch.nn.Module]", str]
"""A buffer: its name, the module that has it, and its name there."""


class Names:
    """Names by tensor, found among the modules that are alive.

    A module does not know its parents, and modules that are copied or unpickled pass no hook, so
    they are looked for among everything that the garbage collector knows.
    """

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, Any]] = {}
        self._buffers: dict[int, list[Buffer]] = {}  # by the id of a parameter of the same root

    def of(self, parameters: list[torch.Tensor]) -> list[str | None]:
        """The qualified name of each parameter; None where no module has it."""
        if not all(self._known(parameter) for parameter in parameters):
            self._look()
        return [
            self._names[id(parameter)][0] if self._known(parameter) else None
            for parameter in parameters
        ]

    def buffers(self, parameters: list[torch.Tensor]) -> list[Buffer]:
        """The buffers of the models that have these parameters."""
        found: dict[int, list[Buffer]] = {}
        for parameter in parameters:
            if self._known(parameter):
                buffers = self._buffers[id(parameter)]
                found[id(buffers)] = buffers
        return [buffer for buffers in found.values() for buffer in buffers]

    def _known(self, parameter: torch.Tensor) -> bool:
        kept = self._names.get(id(parameter))
        # An id is used again when its object is gone.
        return kept is not None and kept[1]() is parameter

    def _look(self) -> None:
        for prefix, root in _with_prefixes(_roots()):
            buffers: list[Buffer] = []
            for path, module in root.named_modules():
                for name in module._buffers:
                    full = plain(f"{prefix}{path}.{name}" if path else f"{prefix}{name}", root)
                    buffers.append((full, weakref.ref(module), name))
            for name, parameter in root.named_parameters():
                full = plain(prefix + name, root)
                self._names[id(parameter)] = (full, weakref.ref(parameter))
                self._buffers[id(parameter)] = buffers


def plain(name: str, root: torch.nn.Module | None = None) -> str:
    """A name without what wrappers put into it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    if isinstance(root, (torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel)):
        name = name.removeprefix("module.")
    return name


def _roots() -> list[torch.nn.Module]:
    """The modules that no other one contains and that have parameters, in order of creation."""
    modules: list[Any] = [
        each
        for each in gc.get_objects()
        # One whose __init__ has not run, or has failed, has no dictionary of parameters.
        if issubclass(type(each), torch.nn.Module) and "_parameters" in vars(each)
    ]
    inner = {id(child) for each in modules for child in _children(each)}
    return [
        each
        for each in modules
        if id(each) not in inner and next(iter(each.parameters()), None) is not None
    ]


def _children(module: torch.nn.Module) -> Iterable[Any]:
    return [child for child in vars(module).get("_modules", {}).values() if child is not None]


def _with_prefixes(roots: list[torch.nn.Module]) -> list[tuple[str, torch.nn.Module]]:
    """A prefix by root: none for a single one; class name, and a number where that is shared."""
    if len(roots) == 1:
        return [("", roots[0])]
    titles = [type(root).__name__ for root in roots]
    shared, seen = Counter(titles), Counter[str]()
    found = []
    for title, root in zip(titles, roots):
        seen[title] += 1
        number = f"[{seen[title] - 1}]" if shared[title] > 1 else ""
        found.append((f"{title}{number}.", root))
    return found
