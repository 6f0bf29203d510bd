# SPDX-License-Identifier: Apache-2.0
"""One step, seen finely: batches, draws by line, modules, operators and losses, in their order.

For a second look at a step at which two runs were seen to differ. The window opens when the call
before it has ended, or at the start for the first one, and closes when its call has ended. What
is seen is written in the order in which it happened, so that the first unequal event of two runs
is the first thing observed to differ.

The plan's option `window` says which: {"optimizer": 0, "call": 12, "operators": true}.
"""

from collections.abc import Callable
from typing import Any

from seed_init.hook import callers
from seed_init.proof import observer
from seed_init.proof.observer.capturing import is_capturing

MOST = 200_000
"""Events that are written: a first step may come after hours of preparation."""

_when_opened: "list[Callable[[], None]]" = []
_when_closed: "list[Callable[[], None]]" = []
is_open = False
_written = 0


backward_from: dict[str, Any] = {}
"""The place of the call of backward() that is running."""


def start() -> None:
    """Open now for the first call; else wait for the one before."""
    from seed_init.proof.observer.closely import batches, draws, modules

    draws.start()
    observer.after_import("torch", batches.install)
    observer.after_import("torch", modules.install)
    if options()["operators"]:
        observer.after_import("torch", _see_operators)
    observer.after_import("torch", install)
    if options()["call"] == 0:
        open_window()


def _see_operators() -> None:
    # Not before: torch may not be there to be found at start-up, while `site` still reads .pth
    # files, or not at all; and a program that never imports it must not get it from us.
    from seed_init.proof.observer.closely import operators

    operators.install()


def options() -> dict[str, Any]:
    """The plan's `window`."""
    found: dict[str, Any] = observer.plan["window"]
    return found


def during(opened: "Callable[[], None]", closed: "Callable[[], None]") -> None:
    """Call functions when the window opens (now, if it is open) and when it closes."""
    _when_opened.append(observer.guarded(opened))
    _when_closed.append(observer.guarded(closed))
    if is_open:
        _when_opened[-1]()


def open_window() -> None:
    """Begin to write."""
    global is_open
    is_open = True
    for function in _when_opened:
        function()


def close_window() -> None:
    """End writing."""
    global is_open
    for function in reversed(_when_closed):
        function()
    if is_open:
        is_open = False
        observer.journal.write("closed")


def write(event: str, **fields: Any) -> None:
    """Write an event of the window, if it is open."""
    global _written
    if not is_open:
        return
    _written += 1
    if _written > MOST:
        observer.journal.write("failed", what=f"only the first {MOST} events of the step were seen")
        close_window()
        return
    observer.journal.write(event, fine=True, **fields)


def install() -> None:
    """Follow the optimizer's calls, and write losses where they come."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from seed_init.proof.observer.closely import batches
    from seed_init.proof.observer.instruments.steps import at_once
    from seed_init.proof.observer.tensors import optimizers

    optimizers.watch()
    calls = {"next": 0}

    def after(optimizer: Any, arguments: Any, keywords: Any) -> None:
        # Such a call has no number (`steps`).
        if torch.compiler.is_compiling() or is_capturing():
            return
        if optimizers.number(optimizer) != options()["optimizer"]:
            return
        if calls["next"] == options()["call"]:
            close_window()
        calls["next"] += 1
        if calls["next"] == options()["call"]:
            open_window()

    register_optimizer_step_post_hook(after)
    backward = torch.autograd.backward

    @observer.guarded
    def see(tensors: Any) -> None:
        for root in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
            write("loss", digest=batches.digest(root), **place(observer.user_frame()))

    @callers.like(backward)
    def seeing(tensors: Any, *arguments: Any, **keywords: Any) -> None:
        global backward_from
        tensors = at_once(tensors)
        if is_open:
            backward_from = place(observer.user_frame())
            see(tensors)
        backward(tensors, *arguments, **keywords)

    torch.autograd.backward = seeing


def place_of(event: dict[str, Any]) -> dict[str, Any]:
    """File, line and function of an event."""
    return {key: event[key] for key in ("file", "line", "function") if key in event}


def place(frame: Any) -> dict[str, Any]:
    """File, line and function of a frame; nothing for None."""
    if frame is None:
        return {}
    return {
        "file": frame.f_code.co_filename,
        "line": frame.f_lineno,
        "function": frame.f_code.co_name,
    }
