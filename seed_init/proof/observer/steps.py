"""Every training step: gradients, parameters, buffers, loss, and where the generators stand.

By the global hooks of torch.optim: before an optimizer's step the gradients, after it the
parameters. Under torch.compile the hooks return at once while compiling, as PyTorch wants it: a
hook that is compiled in, or that breaks the graph, would change what is computed.

Nothing here waits for a device. What is computed on one stays there for `BATCH` steps and is
copied while the program goes on.
"""

import struct
import sys
from base64 import b64encode
from typing import Any

from seed_init import callers
from seed_init.proof import observer
from seed_init.proof.observer import generators

BATCH = 16
"""Steps that are kept on a device, at 8 bytes per tensor and step."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import torch

    from seed_init.proof.observer.names import Buffer


def start() -> None:
    """Wait for torch."""
    observer.after_import("torch", install)


def install() -> None:
    """Follow every optimizer and every backward() of this process."""
    from torch.optim.optimizer import (
        register_optimizer_step_post_hook,
        register_optimizer_step_pre_hook,
    )

    steps = Steps()
    register_optimizer_step_pre_hook(_unless_compiling(observer.guarded(steps.before)))
    register_optimizer_step_post_hook(_unless_compiling(observer.guarded(steps.after)))
    _watch_backward(observer.guarded(steps.backward))
    observer.at_end(steps.finish)
    # torch.optim is loaded by torch itself, the optimizers' hook by its module.
    from seed_init.proof.observer import optimizers

    optimizers.watch()


def _unless_compiling(hook: Any) -> Any:
    import torch

    def unless_compiling(optimizer: Any, arguments: Any, keywords: Any) -> None:
        # Dynamo takes this for a constant, and nothing of us gets into its graph.
        if torch.compiler.is_compiling():
            return
        hook(optimizer, arguments, keywords)

    return unless_compiling


def _watch_backward(seen: Any) -> None:
    import torch

    original = torch.autograd.backward

    @callers.like(original)
    def backward(tensors: Any, *arguments: Any, **keywords: Any) -> None:
        seen(tensors)
        original(tensors, *arguments, **keywords)

    torch.autograd.backward = backward


class Followed:
    """One optimizer: its number, its calls, and the tables of its tensors.

    Attributes:
        number: in order of creation.
        call: of the step that comes next, from 0.
        tables: kind -> the names, shapes and dtypes that were written last.
        buffers: those of the models whose parameters it has.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.call = 0
        self.tables: dict[str, Any] = {}
        self.identities: tuple[int, ...] = ()
        self.buffers: list[Buffer] = []
        self.names: list[str] = []


class Steps:
    """What is written about the steps of this process."""

    def __init__(self) -> None:
        import weakref

        from seed_init.proof.observer.names import Names

        self.names = Names()
        self.followed: Any = weakref.WeakKeyDictionary()
        self.losses: list[Any] = []
        self.gradients: dict[int, Vector] = {}
        self.pending = Pending(observer.plan.get("batch", BATCH))

    def before(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        """Before a step: the gradients, and before the first one the parameters."""
        if _is_capturing():
            return
        followed = self._follow(optimizer)
        if followed.call == 0:
            vector = self._parameters(optimizer, followed)
            self.pending.add({"event": "start", "optimizer": followed.number}, parameters=vector)
        if not _closure(arguments, keywords):
            self.gradients[followed.number] = self._gradients(optimizer, followed)

    def after(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        """After a step: the parameters, and where a closure computed them the gradients."""
        if _is_capturing():
            return
        followed = self._follow(optimizer)
        gradients = self.gradients.pop(followed.number, None)
        if gradients is None:
            gradients = self._gradients(optimizer, followed)
        parameters = self._parameters(optimizer, followed)
        losses, self.losses = self.losses, []
        event = {
            "event": "step",
            "optimizer": followed.number,
            "call": followed.call,
            "rng": generators.positions(),
        }
        followed.call += 1
        self.pending.add(event, gradients=gradients, parameters=parameters, loss=losses)

    def backward(self, tensors: Any) -> None:
        """The roots of a backward pass: the losses."""
        import torch

        if torch.compiler.is_compiling() or _is_capturing():
            return
        for root in [tensors] if isinstance(tensors, torch.Tensor) else tensors:
            if len(self.losses) < 1000:  # a program that never calls an optimizer
                self.losses.append(_loss(root.detach()))

    def finish(self) -> None:
        """Write what is still on a device."""
        self.pending.flush()

    def _follow(self, optimizer: Any) -> Followed:
        from seed_init.proof.observer import optimizers

        followed: Followed | None = self.followed.get(optimizer)
        if followed is None:
            followed = self.followed[optimizer] = Followed(optimizers.number(optimizer))
        parameters = optimizers.parameters(optimizer)
        identities = tuple(map(id, parameters))
        if identities != followed.identities:
            followed.identities = identities
            found = self.names.of(parameters)
            followed.names = [
                name or unnamed for name, unnamed in zip(found, _unnamed(optimizer.param_groups))
            ]
            followed.buffers = self.names.buffers(parameters)
        return followed

    def _gradients(self, optimizer: Any, followed: Followed) -> "Vector":
        from seed_init.proof.observer import optimizers

        gradients = [each.grad for each in optimizers.parameters(optimizer)]
        self._table(followed, "gradients", followed.names, gradients)
        return Vector(gradients)

    def _parameters(self, optimizer: Any, followed: Followed) -> "Vector":
        from seed_init.proof.observer import optimizers

        tensors: list[Any] = list(optimizers.parameters(optimizer))
        names = list(followed.names)
        for name, module, attribute in followed.buffers:
            holder = module()
            if holder is not None:
                names.append(name)
                tensors.append(holder._buffers.get(attribute))
        self._table(followed, "parameters", names, tensors)
        return Vector(tensors)

    def _table(self, followed: Followed, kind: str, names: list[str], tensors: Any) -> None:
        table = (
            names,
            [None if each is None else each.shape for each in tensors],
            [None if each is None else each.dtype for each in tensors],
        )
        if table != followed.tables.get(kind):
            followed.tables[kind] = table
            event = {"event": "tensors", "optimizer": followed.number, "kind": kind}
            event["names"] = names
            event["shapes"] = [None if shape is None else list(shape) for shape in table[1]]
            event["dtypes"] = [None if dtype is None else str(dtype)[6:] for dtype in table[2]]
            self.pending.add(event)


def _closure(arguments: Any, keywords: Any) -> bool:
    """Whether step() was given a closure, which computes the gradients within the step."""
    # The optimizer itself is the first argument (torch/optim/optimizer.py, profile_hook_step).
    return any(callable(each) for each in (*arguments[1:], keywords.get("closure")))


def _unnamed(groups: Any) -> list[str]:
    return [
        f"group {number}, parameter {place}"
        for number, group in enumerate(groups)
        for place in range(len(group["params"]))
    ]


def _is_capturing() -> bool:
    """True while a CUDA graph is captured: what we compute would become a part of it."""
    cuda: Any = sys.modules["torch"].cuda
    return bool(cuda.is_initialized() and cuda.is_current_stream_capturing())


def _loss(root: "torch.Tensor") -> "torch.Tensor":
    """What is kept of a root: its value, or for more than one number its fingerprint."""
    import torch

    from seed_init.proof.observer.fingerprints import fingerprint

    if root.numel() == 1 and not root.is_complex():
        # A copy, because the program may go on and change it.
        return root.reshape(()).to(torch.float64, copy=True)
    out = torch.empty((), dtype=torch.int64, device=root.device)
    fingerprint(root, out)
    return out


class Vector:
    """The fingerprints of some tensors, which stay on their devices until they are asked for."""

    def __init__(self, tensors: "list[torch.Tensor | None]") -> None:
        import torch

        from seed_init.proof.observer.fingerprints import NONE, fingerprint

        places: dict[torch.device, list[int]] = {}
        for place, tensor in enumerate(tensors):
            if tensor is not None and tensor.device.type != "meta":
                places.setdefault(tensor.device, []).append(place)
        self.length, self.rest = len(tensors), NONE
        self.pieces: list[tuple[list[int], Any]] = []
        for device, here in places.items():
            out = torch.empty(len(here), dtype=torch.int64, device=device)
            for number, place in zip(out.unbind(), here):
                fingerprint(tensors[place], number)
            self.pieces.append((here, out))

    def encoded(self) -> str:
        """Base64 of one little-endian int64 by tensor. The pieces must be on the CPU."""
        values = [self.rest] * self.length
        for places, numbers in self.pieces:
            for place, value in zip(places, numbers.tolist()):
                values[place] = value
        return b64encode(struct.pack(f"<{self.length}q", *values)).decode()


class Pending:
    """Events whose numbers may still be on a device.

    Args:
        batch: steps after which what is on a device is copied.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.waiting: list[tuple[dict[str, Any], dict[str, Vector], list[Any]]] = []
        self.copied: Any = None

    def add(self, event: dict[str, Any], *, loss: Any = (), **vectors: Vector) -> None:
        """Write an event, at once where all is on the CPU; else it waits for its batch."""
        self.waiting.append((event, vectors, list(loss)))
        if self.copied is None and not _on_device(self.waiting):
            self._write(self.waiting)
            self.waiting = []
        elif sum("call" in event for event, _, _ in self.waiting) >= self.batch:
            ready, self.copied = self.copied, _Copy(self.waiting)
            self.waiting = []
            if ready is not None:
                self._write(ready.wait())

    def flush(self) -> None:
        """Write everything. Waits for the devices."""
        for copy in (self.copied, _Copy(self.waiting)):
            if copy is not None:
                self._write(copy.wait())
        self.copied, self.waiting = None, []

    def _write(self, events: Any) -> None:
        for event, vectors, losses in events:
            fields = {key: value for key, value in event.items() if key != "event"}
            fields |= {key: vector.encoded() for key, vector in vectors.items()}
            if "call" in event:
                fields["loss"] = [_encoded_loss(loss) for loss in losses]
            observer.journal.write(event["event"], **fields)


def _encoded_loss(loss: "torch.Tensor") -> list[Any]:
    value = loss.item()
    if isinstance(value, int):
        return [None, f"{value & 2**64 - 1:016x}"]
    finite = value - value == 0
    return [value if finite else str(value), struct.pack(">d", value).hex()]


def _tensors(events: Any) -> "list[tuple[Any, Any]]":
    """(holder, key) of every tensor of some events: where to read and replace it."""
    found: list[tuple[Any, Any]] = []
    for _, vectors, losses in events:
        for vector in vectors.values():
            found += [(vector.pieces, place) for place in range(len(vector.pieces))]
        found += [(losses, place) for place in range(len(losses))]
    return found


def _held(holder: Any, place: int) -> "torch.Tensor":
    held = holder[place]
    return held[1] if isinstance(held, tuple) else held


def _on_device(events: Any) -> bool:
    return any(_held(*where).device.type != "cpu" for where in _tensors(events))


class _Copy:
    """A copy of a batch to the host, under way."""

    def __init__(self, events: Any) -> None:
        import torch

        self.events = events
        self.done: list[Any] = []
        by_device: dict[Any, list[tuple[Any, int]]] = {}
        for where in _tensors(events):
            tensor = _held(*where)
            if tensor.device.type != "cpu":
                by_device.setdefault((tensor.device, tensor.dtype), []).append(where)
        for (device, dtype), places in by_device.items():
            # One transfer for all: each costs as much as it carries.
            flat = torch.cat([_held(*where).view(-1) for where in places])
            cuda = device.type == "cuda"
            host = torch.empty(flat.shape, dtype=dtype, pin_memory=cuda)
            host.copy_(flat, non_blocking=cuda)
            start = 0
            for holder, place in places:
                held = holder[place]
                count = _held(holder, place).numel()
                piece = host[start : start + count]
                start += count
                holder[place] = (held[0], piece) if isinstance(held, tuple) else piece
            if cuda:
                event = torch.cuda.Event()
                event.record(torch.cuda.current_stream(device))
                self.done.append(event)

    def wait(self) -> Any:
        """The events, with all numbers on the host. It was under way for a whole batch."""
        for event in self.done:
            event.synchronize()
        return self.events
