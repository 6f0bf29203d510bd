# SPDX-License-Identifier: Apache-2.0
"""This module finds determinism flags that are changed after the hook has set them."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from seed_init.hook import callers, determinism, state
from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.audit import findings, replacing, sources


def _setter_of(flag: determinism.Flag) -> str:
    """Name the function of torch._C by which PyTorch sets a flag that is an attribute."""
    owner, _, attribute = flag.attribute.rpartition(".")
    library = "cublas" if owner.endswith("cuda.matmul") else owner.rpartition(".")[2]
    return f"_set_{library}_{attribute}"


SETTERS = {
    **{
        _setter_of(flag): f"torch.{flag.attribute}"
        for flag in determinism.FLAGS.values()
        if flag.attribute
    },
    "_set_cublas_allow_fp16_reduced_precision_reduction": (
        "torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction"
    ),
    "_set_cublas_allow_bf16_reduced_precision_reduction": (
        "torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction"
    ),
    "_set_float32_matmul_precision": "torch.set_float32_matmul_precision",
    "_set_deterministic_algorithms": "torch.use_deterministic_algorithms",
}
"""Function of torch._C -> the flag as the user knows it: the contract's, and some beside them.

PyTorch's own functions and modules look these up when they set a flag, but for the three of
cuDNN where they are set as attributes: `ContextProp` has kept those (torch/backends/__init__.py).
"""

ATTRIBUTES = {
    name: f"torch.{flag.attribute}"
    for name, flag in determinism.FLAGS.items()
    if flag.attribute.startswith("backends.cudnn.")
}
"""Flag of the contract that `torch_flags.follow` tells of -> as the user knows it."""


def start() -> None:
    """Watch from torch's import on, after the hook has set its flags."""
    callbacks.after_import("torch", _watch)


def _watch() -> None:
    torch: Any = sys.modules["torch"]
    library: Any = sys.modules["seed_init.libraries.torch_flags"]
    if not determinism.wanted(state.settings):
        library.follow()  # which nobody has called yet
    library.set_at = _Noting(library)
    for name, flag in SETTERS.items():
        getter = _getter(torch._C, name)
        if getter is not None:
            replacing.function(torch._C, name, _noting(flag, getter))
    precision = getattr(torch._C, "_get_fp32_precision_getter", None)
    if precision is not None:
        replacing.function(torch._C, "_set_fp32_precision_setter", _noting_precision(precision))


def _getter(core: Any, setter: str) -> "Callable[[], Any] | None":
    if setter == "_set_deterministic_algorithms":
        return lambda: (
            core._get_deterministic_algorithms()
            and ("warn only" if core._get_deterministic_algorithms_warn_only() else True)
        )
    getter: Callable[[], Any] | None = getattr(core, setter.replace("_set_", "_get_", 1), None)
    return getter


def _noting(flag: str, getter: "Callable[[], Any]") -> "Callable[[Any], Any]":
    def make(original: "Callable[..., Any]") -> "Callable[..., Any]":
        def setter(*arguments: Any, **keywords: Any) -> Any:
            before = _read(getter)
            result = original(*arguments, **keywords)
            now = _read(getter)
            # Not where it stays as it was: torch.compile sets flags to what they are.
            if now != before:
                _changed(flag, now, callers.above())
            return result

        return setter

    return make


def _noting_precision(
    getter: "Callable[[str, str], Any]",
) -> "Callable[[Callable[..., Any]], Callable[..., Any]]":
    """Do as `_noting` for the only function that sets the newer flags of the precision."""

    def make(original: "Callable[..., Any]") -> "Callable[..., Any]":
        def setter(backend: str, operator: str, *arguments: Any) -> Any:
            before = _read(lambda: getter(backend, operator))
            result = original(backend, operator, *arguments)
            now = _read(lambda: getter(backend, operator))
            if now != before:
                _changed(_precision(backend, operator), now, callers.above())
            return result

        return setter

    return make


def _precision(backend: str, operator: str) -> str:
    """Return the name of the flag as the user knows it."""
    module = {"generic": "", "cuda": "cudnn." if operator != "matmul" else "cuda."}
    part = "" if operator == "all" else f"{operator}."
    return f"torch.backends.{module.get(backend, f'{backend}.')}{part}fp32_precision"


def _read(getter: "Callable[[], Any]") -> Any:
    """Return the flag's value. A former flag of the precision may raise (torch 2.9 on)."""
    try:
        return getter()
    except Exception:
        return determinism.UNKNOWN


@core.guarded
def _changed(flag: str, now: object, frame: FrameType | None) -> None:
    user, library = sources.behind(frame, "torch", "contextlib")
    if user is not None:
        detail = f"by {library}" if library else ""
        findings.note("flag", f"{flag} = {now}", sources.spot(user), detail)


class _Noting(dict[str, str]):
    """`torch_flags.set_at`, whose items are set where a flag has just been changed.

    Args:
        library: that module.
    """

    def __init__(self, library: Any) -> None:
        super().__init__(library.set_at)
        self._library = library

    def __setitem__(self, flag: str, source: str) -> None:
        super().__setitem__(flag, source)
        if flag in ATTRIBUTES:
            now = self._library.now()[flag] == "1"
            _changed(ATTRIBUTES[flag], now, callers.above())
