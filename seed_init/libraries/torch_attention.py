# SPDX-License-Identifier: Apache-2.0
"""Fused attention on CUDA under `warn`: the deterministic backward that PyTorch keeps for `strict`.

`torch.use_deterministic_algorithms(True, warn_only=True)` has every operator take its deterministic
version but for two. Only if warn_only is False does ATen make them deterministic
(aten/src/ATen/native/transformers/cuda/attention_backward.cu):

    _flash_attention_backward       passes `deterministic` on
    _efficient_attention_backward   does not split the keys

A third, cuDNN's attention, has no deterministic backward that PyTorch asks for; it is passed over
only if warn_only is False. Nothing else of ATen looks at warn_only, but for the alerts themselves;
tests/nullcuda/test_attention.py reads that from the binary of the installed release.

So these two get a kernel that switches warn_only off around the call. All of PyTorch comes to them
through the dispatcher (SDPA, nested tensors, what TorchScript and torch.compile make). The kernel's
key is BackendSelect: every thread has it (c10/core/DispatchKeySet.h, default_included_set), it is
below autograd, autocast, functorch and Python's modes, so that the graph is made as without us, and
PyTorch has nothing there for these operators.

The flag is the process's. What alerts in another thread while it is switched would raise instead of
warn: those operators (`ALERTING`) get a kernel as well, which waits for the end of the switch and
runs them again. Only one thread switches at a time, and none while torch.compile traces in another:
Dynamo ends with an error where the flag changes meanwhile.
"""

import os
import sys
import threading

import torch

from seed_init.hook import callers, say
from seed_init.hook.settings import CUBLAS, Settings
from seed_init.hook.startup import CUBLAS_DETERMINISTIC
from seed_init.libraries.torch_operators import ALERTING, DETERMINISTIC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


ALERT = "does not have a deterministic implementation, but you set"
"""In the error of at::Context::alertNotDeterministic, after the operator's name."""

PATIENCE = 5.0
"""Seconds for the host's part of one backward, which takes a tenth of a millisecond. A thread may
be kept there by the device, and the device by what the waiting thread has not launched yet."""

COMPILING = 600.0
"""Seconds for what torch.compile traces in another thread."""

QUEUED = ["attention's backward is made deterministic by seed_init\n"]
"""What stands for the stack in an error of a call that waits for CUDA (torch/cuda/__init__.py)."""

# Before anybody replaces them: the audit notes who sets the flag.
_is_on = torch._C._get_deterministic_algorithms
_warns_only = torch._C._get_deterministic_algorithms_warn_only
_set = torch._C._set_deterministic_algorithms

_lock = threading.RLock()  # of whoever has switched the flag, or must find it as it is
_is_switched = False
_wanted = (True, True)  # while it is switched: what the program has set, mode and warn_only
_libraries: "list[Any]" = []  # a registration lasts as long as its Library

has_started = False
"""Whether attention's backward is deterministic here: with CUDA started, under `warn`."""


def install(settings: Settings) -> list[str]:
    """Have attention's backward deterministic from CUDA's start on, and cuDNN's not chosen.

    Until CUDA starts, this is a flag and an entry in a list. From then on it follows the program:
    where it has switched the deterministic algorithms off, or to errors, attention is PyTorch's.

    Args:
        settings: what this process was asked to do.

    Returns:
        Lines for the log; none where PyTorch is not built for CUDA.
    """
    if torch.version.cuda is None:
        return []
    # PyTorch would choose it on Hopper; sdpa_kernel(SDPBackend.CUDNN_ATTENTION) still does.
    if hasattr(torch.backends.cuda, "enable_cudnn_sdp"):
        torch.backends.cuda.enable_cudnn_sdp(False)
    lines = ["attention on CUDA: cuDNN's is not chosen by itself"]
    workspace = settings.values.get(CUBLAS)
    if workspace in CUBLAS_DETERMINISTIC:
        calls = getattr(torch.cuda, "_queued_calls", None)
        if isinstance(calls, list) and not torch.cuda.is_initialized():
            calls.append((_start, QUEUED))  # without the stack, which _lazy_call formats
        else:
            torch.cuda._lazy_call(_start)
        return [*lines, "attention on CUDA: the backward is deterministic"]
    # Then matrix products alert as well, and one in another thread would raise.
    return [*lines, f"attention on CUDA: the backward is not, with {CUBLAS}={workspace!a}"]


def _start() -> None:
    """Register the kernels. CUDA is starting: nothing may be raised here."""
    global has_started
    if _libraries:
        return  # CUDA starts again, after what the program has queued for its start has raised
    try:
        after = torch._C._dispatch_keyset_full_after(torch._C.DispatchKey.BackendSelect)
        library = torch.library.Library("aten", "IMPL")
        _libraries.append(library)
        for name in ALERTING:
            _register(library, name, _again_if_switched, after)
        _stand_in()
        os.register_at_fork(after_in_child=_begin_anew)
        for name in DETERMINISTIC:
            _register(library, name, _deterministic, after)
        has_started = True
    except Exception as error:
        say(
            f"attention's backward stays nondeterministic on CUDA ({error}); "
            "DETERMINISM=strict has PyTorch's deterministic one"
        )


def _register(library: "Any", name: str, make: "Callable[..., Any]", after: "Any") -> None:
    name, _, part = name.partition(".")
    packet = getattr(torch.ops.aten, name, None)
    for overload in packet.overloads() if packet is not None else ():
        if part in overload:
            operator = getattr(packet, overload)
            kernel = make(operator.redispatch, after)
            library.impl(operator, kernel, "BackendSelect", with_keyset=True)


def _deterministic(redispatch: "Callable[..., Any]", after: "Any") -> "Callable[..., Any]":
    """Return a kernel that runs an operator with warn_only switched off.

    A signal's handler may raise after any call in here, in the main thread. So what undoes a step
    is the first call of a `finally`, and releasing a lock that was not to be had, or is another one
    in a forked child, is no error.
    """
    cuda = torch._C.DispatchKey.CUDA

    def kernel(keyset: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        global _is_switched, _wanted
        keyset &= after
        # Without the key it is a fake tensor, which may be the one that is traced.
        if not _is_on() or _lock._is_owned() or not keyset.has(cuda):  # type: ignore[attr-defined]
            return redispatch(keyset, *arguments, **keywords)
        tracing = _tracing()
        try:
            try:
                # With both, so that warn_only is the program's. More splits are its wish, too.
                if (
                    tracing.acquire(timeout=COMPILING)
                    and _lock.acquire(timeout=PATIENCE)
                    and _warns_only()
                    and (keywords.get("num_splits_key") or 1) < 2
                ):
                    try:
                        _wanted, _is_switched = (True, True), True
                        _set(True, warn_only=False)
                        return redispatch(keyset, *arguments, **keywords)
                    finally:
                        _set(_wanted[0], warn_only=_wanted[1])
                        _is_switched = False
                return redispatch(keyset, *arguments, **keywords)
            finally:
                try:  # noqa: SIM105
                    _lock.release()
                except RuntimeError:
                    pass
        finally:
            try:  # noqa: SIM105
                tracing.release()
            except RuntimeError:
                pass

    return kernel


def _tracing() -> "Any":
    """Return the lock that torch.compile holds while it traces (torch/_dynamo/convert_frame.py)."""
    dynamo = sys.modules.get("torch._dynamo.convert_frame")
    return getattr(dynamo, "compile_lock", _lock)


def _again_if_switched(redispatch: "Callable[..., Any]", after: "Any") -> "Callable[..., Any]":
    """A kernel of an operator that may alert: it is run again if only the switch made it raise."""

    def kernel(keyset: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        keyset &= after
        try:
            return redispatch(keyset, *arguments, **keywords)
        except RuntimeError as error:
            if ALERT not in str(error) or _lock._is_owned():  # type: ignore[attr-defined]
                raise
        try:
            _lock.acquire(timeout=PATIENCE)
            return redispatch(keyset, *arguments, **keywords)
        finally:
            try:  # noqa: SIM105
                _lock.release()
            except RuntimeError:
                pass

    return kernel


def _stand_in() -> None:
    """Let Python see and set the flag as if it were never switched.

    Who saves it and puts it back (torch/_dynamo/convert_frame.py, preserve_global_state) would make
    the switch last for ever; what is set meanwhile would be lost at its end.
    """
    core: Any = torch._C
    setter = core._set_deterministic_algorithms

    @callers.like(_is_on)
    def is_on() -> bool:
        return _wanted[0] if _is_switched else _is_on()

    @callers.like(_warns_only)
    def warns_only() -> bool:
        return _wanted[1] if _is_switched else _warns_only()

    @callers.like(_set)
    def set_to(mode: bool, *, warn_only: bool = False) -> None:
        global _wanted
        try:
            _lock.acquire(timeout=PATIENCE)
            if _is_switched:
                _wanted = (bool(mode), bool(warn_only))
            else:
                setter(mode, warn_only=warn_only)
        finally:
            try:  # noqa: SIM105
                _lock.release()
            except RuntimeError:
                pass

    core._get_deterministic_algorithms = is_on
    core._get_deterministic_algorithms_warn_only = warns_only
    core._set_deterministic_algorithms = set_to


def _begin_anew() -> None:
    """Switch back in a forked child, in which the thread that would switch back does not exist."""
    global _lock, _is_switched
    _lock = threading.RLock()
    if _is_switched:
        _set(_wanted[0], warn_only=_wanted[1])
        _is_switched = False
