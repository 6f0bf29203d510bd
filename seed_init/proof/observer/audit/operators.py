# SPDX-License-Identifier: Apache-2.0
"""This module finds nondeterministic operators: those of the table, and what PyTorch warns of.

The operators of the table get a function at a dispatch key that PyTorch keeps for tests and that
every other operator falls through. A TorchDispatchMode would see every operator, but some of
PyTorch's formulas take another way where one is active (at::isTensorSubclassLike), and
torch.compile skips what runs under one.
"""

import sys
import threading
import warnings
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.observer.audit import findings, nondeterministic, replacing, sources
from seed_init.proof.observer.audit.sources import Spot

KEY = "TESTING_ONLY_GenericMode"
"""The dispatch key (c10/core/DispatchKey.h). Above autograd: the graph is made as without us."""

ALERT = " does not have a deterministic implementation, but you set"
"""In the warning of at::Context::alertNotDeterministic, after the operator's name."""

FORWARDS_MAX = 100_000
"""Calls whose backward is still to come that are kept, a number and a reference each."""

COMPILES = (
    "operators are not seen after torch.compile is called, but for those that PyTorch warns of"
)

WITHOUT = "no deterministic version"
BY_LEVEL = "deterministic with DETERMINISM=warn"
WITH = "deterministic with torch.use_deterministic_algorithms(True)"

_libraries: "list[Any]" = []  # a registration lasts as long as its Library
_here = threading.local()
_forwards: "OrderedDict[int, Spot]" = OrderedDict()
_expected: "deque[str]" = deque(maxlen=1000)  # what PyTorch will warn of and is counted already


def start() -> None:
    """Watch from torch's import on."""
    callbacks.after_import("torch", _watch)


def _watch() -> None:
    torch: Any = sys.modules["torch"]
    # In front, so that it sees each warning before it is told apart from those shown before.
    warnings.filters.insert(0, ("ignore", _Listener(), UserWarning, None, 0))  # type: ignore
    warnings._filters_mutated()  # type: ignore[attr-defined]
    # The key is included thread by thread; autograd's threads have that of the backward's caller.
    if threading.current_thread() is not threading.main_thread():
        findings.not_seen("operators are not seen: torch was imported by a thread")
        return
    replacing.function(torch, "compile", _leaving)
    fallback, library = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    _libraries.extend((fallback, library))
    fallback.fallback(torch.library.fallthrough_kernel, KEY)
    for name in nondeterministic.FORWARD:
        _register(library, name, _forward)
    for name in nondeterministic.TABLE:
        _register(library, name, _checked)
    _include(True)
    # At the end the finalizers of newer releases take the registrations away (torch/library.py,
    # _del_library), and an operator would be asked of a key that has none. One that is made after
    # theirs comes before them.
    weakref.finalize(fallback, _include, False)
    callbacks.at_end(lambda: _include(False))


def _include(on: bool) -> None:
    sys.modules["torch"]._C._dispatch_tls_set_dispatch_key_included(KEY, on)


def _register(library: Any, name: str, make: "Callable[[Any, str], Any]") -> None:
    packet = getattr(sys.modules["torch"].ops.aten, name, None)
    for overload in packet.overloads() if packet is not None else ():
        operator = getattr(packet, overload)
        # Not what has more than one operator in it, which comes by here anyway.
        if not overload.endswith("out") and not operator._schema.name.endswith("_out"):
            library.impl(operator, make(operator, name), KEY, with_keyset=True)


def _leaving(compile: "Callable[..., Any]") -> "Callable[..., Any]":
    def leaving(*arguments: Any, **keywords: Any) -> Any:
        _leave()
        return compile(*arguments, **keywords)

    return leaving


@core.guarded
def _leave() -> None:
    if sys.modules["torch"]._C._dispatch_tls_is_dispatch_key_included(KEY):
        _include(False)
        findings.not_seen(COMPILES)


def _forward(operator: Any, name: str) -> "Callable[..., Any]":
    redispatch = operator.redispatch

    def kernel(keyset: Any, *arguments: Any, **keywords: Any) -> Any:
        _keep(callers.above())
        return redispatch(keyset.remove(KEY), *arguments, **keywords)

    return kernel


@core.guarded
def _keep(frame: FrameType | None) -> None:
    """Keep the user's line by the number that the operator's node of the graph is about to get."""
    torch: Any = sys.modules["torch"]
    if not torch.is_grad_enabled():
        return
    user = _user_frame(frame)
    if user is None:
        return
    _forwards[torch.autograd._get_sequence_nr()] = sources.spot(user)
    if len(_forwards) > FORWARDS_MAX:
        _forwards.popitem(last=False)


def _checked(operator: Any, name: str) -> "Callable[..., Any]":
    redispatch, names = (
        operator.redispatch,
        [argument.name for argument in operator._schema.arguments],
    )
    defaults = {
        argument.name: argument.default_value
        for argument in operator._schema.arguments
        if argument.has_default_value()
    }

    def kernel(keyset: Any, *arguments: Any, **keywords: Any) -> Any:
        # One of these operators may call another one of them.
        within = getattr(_here, "within", False)
        if not within:
            bound = {**defaults, **dict(zip(names, arguments)), **keywords}
            _check(name, bound, callers.above())
            _here.within = True
        try:
            return redispatch(keyset.remove(KEY), *arguments, **keywords)
        finally:
            _here.within = within

    return kernel


@core.guarded
def _check(name: str, arguments: "dict[str, Any]", frame: FrameType | None) -> None:
    torch: Any = sys.modules["torch"]
    device = _device(arguments)
    if device is None:
        return
    rule = nondeterministic.rule_for(name, arguments, device)
    if rule is None or (rule.alternative and torch._C._get_deterministic_algorithms()):
        return
    if not (rule.alternative or rule.silent) and torch._C._get_deterministic_algorithms():
        if not torch._C._get_deterministic_algorithms_warn_only():
            return  # it raises
        if rule.only_strict and _attention_is_deterministic():
            return
        if not rule.only_strict:
            _expected.append(rule.alert or name.strip("_"))
    node = torch._C._current_autograd_node()
    spot, what = _spot_of(node, frame), f"aten::{name}"
    if spot is not None:
        backward = "" if node is None else f" in {node.name()}"
        findings.note("operator", what, spot, f"{device}{backward}: {remedy(rule)}")


def _attention_is_deterministic() -> bool:
    """Return True where the hook makes attention deterministic under `warn`."""
    ours = sys.modules.get("seed_init.libraries.torch_attention")
    return ours is not None and ours.has_started


def remedy(rule: "nondeterministic.Rule") -> str:
    """Say in a few words when the operator of a rule is deterministic."""
    if rule.only_strict:
        return BY_LEVEL
    return WITH if rule.alternative else WITHOUT


def _device(arguments: "dict[str, Any]") -> str | None:
    tensor = sys.modules["torch"].Tensor
    for value in arguments.values():
        if isinstance(value, tensor):
            return str(value.device.type)
    return None


def _spot_of(node: Any, frame: "FrameType | None") -> "Spot | None":
    """Return where the user's code is: in a backward, the line of the forward if it is known."""
    forward = _forwards.get(node._sequence_nr()) if node is not None else None
    user = _user_frame(frame) if forward is None else None
    return sources.spot(user) if user is not None else forward


def _user_frame(frame: "FrameType | None") -> "FrameType | None":
    """Return the innermost frame of user code, from a frame on.

    The engine's thread for a device runs no code of Python's (torch/csrc/autograd/engine.cpp). So
    where there is no frame, the only backward pass that is under way gives its frame.
    """
    if frame is None:
        waiting = [
            candidate for candidate in sys._current_frames().values() if _runs_backward(candidate)
        ]
        frame = waiting[0] if len(waiting) == 1 else None
    user: FrameType | None = user_code.user_frame(frame)
    return user


def _runs_backward(frame: FrameType) -> bool:
    """Return whether a thread's innermost frame is the one that calls autograd's engine."""
    return callers.module_of(frame) in ("torch.autograd", "torch.autograd.graph")


class _Listener:
    """The message of a warnings filter, which sees every warning and holds back none.

    Python asks the filters only for a warning that was not shown yet from that line. So a warning
    of a nondeterministic operator is issued again from here, with a registry of ours in place of
    the module's, and ignored at its origin. Each call is seen, and each line is shown as often as
    without us.
    """

    def __init__(self) -> None:
        self._registries: dict[tuple[str, str], dict[Any, Any]] = {}

    def match(self, text: str) -> bool:
        if ALERT not in text or getattr(_here, "warning", False):
            return False
        frame = callers.above()
        if frame is None:
            return False
        _warned(text.partition(ALERT)[0], frame)
        module = callers.module_of(frame) or "<string>"
        file = frame.f_code.co_filename
        registry = self._registries.setdefault((file, module), {})
        _here.warning = True
        try:
            warnings.warn_explicit(text, UserWarning, file, frame.f_lineno, module, registry)
        finally:
            _here.warning = False
        return True


@core.guarded
def _warned(name: str, frame: FrameType) -> None:
    for expected in list(_expected):  # a thread of the engine's may add to it
        if expected in name:
            with suppress(ValueError):  # another thread has had the same one
                _expected.remove(expected)
            return
    user = user_code.user_frame(frame)
    if user is not None:
        findings.note("operator", name, sources.spot(user), WITHOUT)
