"""Which module runs, and what goes into and comes out of it, in the window."""

from typing import Any

from seed_init.proof import observer
from seed_init.proof.observer import window

stack: "list[str]" = []
"""Qualified names of the modules that are running, outermost first."""

_names: "dict[int, tuple[str, Any]]" = {}


def install() -> None:
    """Follow every module while the window is open."""
    from torch.nn.modules import module

    handles: list[Any] = []

    def opened() -> None:
        # Forward hooks only: global backward hooks break modules that work in place.
        handles.append(module.register_module_forward_pre_hook(before))
        handles.append(
            module.register_module_forward_hook(after, with_kwargs=True, always_call=True)
        )

    def closed() -> None:
        while handles:
            handles.pop().remove()
        stack.clear()

    window.during(opened, closed)


@observer.guarded
def before(module: Any, arguments: Any) -> None:
    """A module begins."""
    from seed_init.proof.observer.batches import digest

    stack.append(name_of(module))
    window.write("module", name=stack[-1], phase="input", digest=digest(arguments))


@observer.guarded
def after(module: Any, arguments: Any, keywords: Any, output: Any) -> None:
    """A module has ended; without an output where it failed."""
    from seed_init.proof.observer.batches import digest

    if stack:
        window.write("module", name=stack.pop(), phase="output", digest=digest((keywords, output)))


def name_of(module: Any) -> str:
    """The qualified name of a module; its class for one that is in no other and has no name."""
    known = _names.get(id(module))
    if known is None or known[1]() is not module:
        _look()
        known = _names.get(id(module))
    return known[0] if known is not None else type(module).__name__


def _look() -> None:
    import weakref

    from seed_init.proof.observer import names

    roots = names._roots()
    for root in roots:
        prefix = f"{type(root).__name__}." if len(roots) > 1 else ""
        for path, inner in root.named_modules():
            name = names.plain(f"{prefix}{path}", root).rstrip(".") or type(root).__name__
            _names[id(inner)] = (name, weakref.ref(inner))
