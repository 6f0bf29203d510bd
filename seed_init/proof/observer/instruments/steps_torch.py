# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `steps` needs torch: it writes each training step.

Before the step of an optimizer, the gradients are read; after the step, the parameters, the
buffers, the losses and the positions of the generators. Under torch.compile the hooks return at
once while Dynamo compiles, as PyTorch wants it: a hook that is compiled in, or that breaks the
graph, would change what is computed.

Nothing here waits for a device. What is computed on a device stays there for `pending.BATCH` steps
and is copied while the program goes on.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from seed_init.hook import callers
from seed_init.proof.observer import core, keeping
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.tensors import dense, fingerprints, generators, optimizers
from seed_init.proof.observer.tensors.fingerprints import undisturbed
from seed_init.proof.observer.tensors.names import Buffer, Names
from seed_init.proof.observer.tensors.optimizers import ByIdentity
from seed_init.proof.observer.tensors.pending import Loss, Pending
from seed_init.proof.observer.tensors.vectors import Description, Layout, Vector, describe, sizes
from seed_init.proof.observer.torch_hooks import readable_twice, unless_compiling

MOST_LOSSES = 1000
"""Losses that are kept for a step: a program may never call an optimizer."""


def install() -> None:
    """Follow every optimizer and every backward() of this process."""
    global _steps
    _steps = steps = Steps()

    def hook(function: Callable[..., None]) -> Any:
        return unless_compiling(core.guarded(undisturbed(function)))

    register_optimizer_step_pre_hook(hook(steps.before))
    register_optimizer_step_post_hook(hook(steps.after))
    _watch_backward(hook(steps.backward))
    os.register_at_fork(after_in_child=core.guarded(steps.leave_to_parent))
    optimizers.watch()
    _watch_exit()


_steps: "Steps | None" = None


def finish() -> None:
    """Write what is still on a device."""
    if _steps is not None:
        undisturbed(_steps.pending.flush)()


def _watch_exit() -> None:
    """Write what is still on a device before os._exit, which runs nothing at the end."""
    original, flush = os._exit, core.guarded(finish)

    @callers.like(original)
    def _exit(status: int) -> None:
        flush()
        original(status)

    os._exit = _exit


def _watch_backward(seen: Any) -> None:
    original = torch.autograd.backward

    @callers.like(original)
    def backward(tensors: Any, *arguments: Any, **keywords: Any) -> None:
        tensors = readable_twice(tensors)
        seen(tensors)
        original(tensors, *arguments, **keywords)

    torch.autograd.backward = backward


class Table:
    """What the trace last said of an optimizer's parameters or gradients.

    Attributes:
        names: of the tensors.
        descriptions: types, shapes and so on.
        layout: how their numbers are computed.
    """

    def __init__(self, names: list[str], descriptions: list[Description], layout: Layout) -> None:
        self.names = names
        self.descriptions = descriptions
        self.layout = layout


class Followed:
    """An optimizer that is followed: its number, its calls, and the tables of its tensors.

    Attributes:
        number: in order of creation.
        call: of the step that comes next, from 0.
        identities: ids of its parameters, for which the names were looked up.
        names: of its parameters.
        all_names: of these and of the buffers.
        buffers: those of the models whose parameters it has.
        tables: kind -> the table that was written last.
        gradients: of the step that is under way.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.call = 0
        self.identities: list[int] | None = None
        self.names: list[str] = []
        self.all_names: list[str] = []
        self.buffers: list[Buffer] = []
        self.tables: dict[str, Table] = {}
        self.gradients: Vector | None = None


class Steps:
    """What is written about the steps of this process."""

    def __init__(self) -> None:
        self.names = Names()
        self.begin()

    def begin(self) -> None:
        """Begin anew."""
        self.followed: ByIdentity[Followed] = ByIdentity()
        self.losses: dict[int, list[Loss]] = {}  # by thread
        self.pending = Pending()

    def leave_to_parent(self) -> None:
        """Begin anew in a forked child, which writes a file of its own, and free nothing."""
        keeping.for_ever([self.followed.values(), self.losses, self.pending])
        self.begin()

    def before(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        """Read the gradients before a step, and before the first step the parameters."""
        if is_capturing():
            return
        followed, parameters = self._follow(optimizer)
        if followed.call == 0:
            vector = self._parameters(followed, parameters)
            self.pending.add({"event": "start", "optimizer": followed.number}, parameters=vector)
        # A closure computes the gradients within the step.
        has_closure = _has_closure(arguments, keywords)
        followed.gradients = None if has_closure else self._gradients(followed, parameters)

    def after(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        """Read the parameters after a step, and the gradients where a closure computed them."""
        if is_capturing():
            return
        followed, parameters = self._follow(optimizer)
        gradients, followed.gradients = followed.gradients, None
        if gradients is None:
            gradients = self._gradients(followed, parameters)
        event = {
            "event": "step",
            "optimizer": followed.number,
            "call": followed.call,
            "rng": generators.positions(),
        }
        followed.call += 1
        self.pending.add(
            event,
            gradients=gradients,
            parameters=self._parameters(followed, parameters),
            loss=self._losses(),
        )

    def backward(self, tensors: Any) -> None:
        """Keep the losses: the roots of a backward pass."""
        if is_capturing():
            return
        losses = self.losses.setdefault(threading.get_ident(), [])
        for root in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
            # A torch.autograd.graph.GradientEdge, or what it is made of, has no value.
            if isinstance(root, torch.Tensor) and len(losses) < MOST_LOSSES:
                try:
                    loss = _loss(root)
                except Exception as error:
                    core.report_unreadable(root, error)
                    continue
                if loss is not None:
                    losses.append(loss)

    def _losses(self) -> list[Loss]:
        """Return the losses of this thread since the last step; if there are none, of all threads.

        A step within a backward pass on a device runs in a thread of autograd's.
        """
        here = threading.get_ident()
        if here in self.losses:
            losses, self.losses[here] = self.losses[here], []
            return losses
        losses = [loss for thread in self.losses.values() for loss in thread]
        self.losses = {thread: [] for thread in self.losses}
        return losses

    def _follow(self, optimizer: Any) -> tuple[Followed, list[torch.Tensor]]:
        followed = self.followed.get(optimizer)
        if followed is None:
            followed = Followed(optimizers.number(optimizer))
            self.followed.set(optimizer, followed)
        parameters = optimizers.parameters(optimizer)
        identities = list(map(id, parameters))
        if identities != followed.identities:
            followed.identities = identities
            pairs = zip(self.names.of(parameters), _unnamed(optimizer.param_groups))
            followed.names = [name or unnamed for name, unnamed in pairs]
            followed.buffers = self.names.buffers(parameters)
            followed.all_names = followed.names + [name for name, _, _ in followed.buffers]
        return followed, parameters

    def _gradients(self, followed: Followed, parameters: list[torch.Tensor]) -> Vector:
        gradients = [parameter.grad for parameter in parameters]
        return self._vector(followed, "gradients", followed.names, gradients)

    def _parameters(self, followed: Followed, parameters: list[torch.Tensor]) -> Vector:
        tensors: list[torch.Tensor | None] = list(parameters)
        for _, module, attribute in followed.buffers:
            holder = module()
            tensors.append(None if holder is None else holder._buffers.get(attribute))
        return self._vector(followed, "parameters", followed.all_names, tensors)

    def _vector(
        self,
        followed: Followed,
        kind: str,
        names: list[str],
        tensors: list[torch.Tensor | None],
    ) -> Vector:
        descriptions = describe(tensors)
        table = followed.tables.get(kind)
        if table is None or table.descriptions != descriptions or table.names != names:
            table = Table(names, descriptions, Layout(descriptions))
            followed.tables[kind] = table
            event: dict[str, Any] = {"event": "tensors", "optimizer": followed.number}
            event |= {"kind": kind, "names": names}
            event["shapes"] = list(map(sizes, descriptions))
            event["dtypes"] = [
                None if description is None else str(description[2])[6:]
                for description in descriptions
            ]
            self.pending.add(event)
        return table.layout.vector(tensors)


def _has_closure(arguments: Any, keywords: Any) -> bool:
    """Return whether step() was given a closure."""
    # The optimizer itself is the first argument (torch/optim/optimizer.py, profile_hook_step).
    return any(callable(argument) for argument in (*arguments[1:], keywords.get("closure")))


def _unnamed(groups: Any) -> list[str]:
    return [
        f"group {number}, parameter {index}"
        for number, group in enumerate(groups)
        for index in range(len(group["params"]))
    ]


def _loss(root: torch.Tensor) -> Loss | None:
    """Return what is kept of a root; None for a root without contents."""
    if dense.is_fake(root):
        return None
    is_dense = root.layout == torch.strided and not root.is_nested
    if is_dense and root.numel() == 1 and not root.is_complex():
        local, _ = dense.local(root)
        # A copy, because the program may go on and change it.
        return Loss(local.reshape(()).clone(), is_value=True)
    out = torch.empty((), dtype=torch.int64, device=root.device)
    fingerprints.compute(root, out)
    return Loss(out, is_value=False)
