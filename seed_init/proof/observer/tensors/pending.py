# SPDX-License-Identifier: Apache-2.0
"""This module keeps events until their numbers have been copied from a device.

Nothing here waits, except at the end.
"""

import struct
from collections import deque
from typing import Any

import torch

from seed_init.proof.observer import core, units
from seed_init.proof.observer.tensors.fingerprints import MASK
from seed_init.proof.observer.tensors.vectors import OnDevice, Vector

BATCH = 16
"""Steps that are kept on a device, at 8 bytes per tensor and step."""


class Loss:
    """The root of a backward pass: its value, or for more than one number its fingerprint."""

    __slots__ = ("is_value", "on_device")

    def __init__(self, tensor: torch.Tensor, is_value: bool) -> None:
        self.on_device = OnDevice(tensor)
        self.is_value = is_value

    def encoded(self) -> list[Any]:
        """Return [value, 16 hexadecimal digits of its bits as a double], or [None, fingerprint]."""
        if not self.is_value:
            return [None, f"{int(self.on_device.tensor) & MASK:016x}"]
        value = float(self.on_device.tensor)
        finite = value - value == 0
        return [value if finite else str(value), struct.pack(">d", value).hex()]


class Event:
    """What will be one line of the journal."""

    __slots__ = ("fields", "losses", "vectors")

    def __init__(
        self, fields: dict[str, Any], losses: list[Loss], vectors: dict[str, Vector]
    ) -> None:
        self.fields = fields
        self.losses = losses
        self.vectors = vectors

    def on_device(self) -> list[OnDevice]:
        """Return what may be on a device."""
        pieces = [piece for vector in self.vectors.values() for _, piece in vector.pieces]
        return pieces + [loss.on_device for loss in self.losses]

    def write(self) -> None:
        """Write the event. All numbers must be on the CPU."""
        fields = dict(self.fields)
        kind = fields.pop("event")
        for name, vector in self.vectors.items():
            fields[name] = vector.encoded()
        if "call" in fields:
            fields["loss"] = [loss.encoded() for loss in self.losses]
        core.journal.write(kind, **fields)


class Pending:
    """The events of this process, in order. What is on a device is copied after `BATCH` steps."""

    def __init__(self) -> None:
        self.steps = 0
        self.waiting: list[Event] = []
        self.copies: deque[Copy] = deque()

    def add(self, fields: dict[str, Any], *, loss: Any = (), **vectors: Vector) -> None:
        """Write an event, at once where all is on the CPU; else it waits for its batch."""
        unit = units.number()
        if unit is not None:
            fields = {**fields, "unit": unit}
        event = Event(fields, list(loss), vectors)
        if not self.waiting and not self.copies and not any(map(is_elsewhere, event.on_device())):
            event.write()
            return
        self.waiting.append(event)
        self.steps += "call" in fields
        if self.steps >= BATCH:
            self._copy()
            while self.copies and self.copies[0].is_done():
                self.copies.popleft().write()

    def flush(self) -> None:
        """Write everything. Waits for the devices."""
        self._copy()
        while self.copies:
            self.copies[0].wait()
            self.copies.popleft().write()

    def _copy(self) -> None:
        if self.waiting:
            # Taken away first: if this fails, it must not fail again and again.
            events, self.waiting, self.steps = self.waiting, [], 0
            self.copies.append(Copy(events))


def is_elsewhere(numbers: OnDevice) -> bool:
    """Return True where a tensor has to be copied before it can be read without waiting."""
    device: str = numbers.tensor.device.type
    return device != "cpu"


class Copy:
    """A batch of events under way to the host.

    Each stream's numbers are copied by that stream itself, so that no stream waits for another.
    Only CUDA copies without waiting for the host; another device's copy waits, once in a batch.
    """

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.copied: list[Any] = []
        alike: dict[Any, list[OnDevice]] = {}
        for numbers in (
            numbers for event in events for numbers in event.on_device() if is_elsewhere(numbers)
        ):
            key = numbers.tensor.device, numbers.tensor.dtype, numbers.stream
            alike.setdefault(key, []).append(numbers)
        for (_, _, stream), group in alike.items():
            if stream is None:
                self._start(group, False)
            else:
                with torch.cuda.stream(stream):
                    self._start(group, True)
                    event = torch.cuda.Event()
                    event.record(stream)
                self.copied.append(event)

    def _start(self, group: list[OnDevice], pinned: bool) -> None:
        # One transfer for all: each costs as much as it carries.
        flat = torch.cat([numbers.tensor.view(-1) for numbers in group])
        host = torch.empty(flat.shape, dtype=flat.dtype, device="cpu", pin_memory=pinned)
        host.copy_(flat, non_blocking=pinned)
        start = 0
        for numbers in group:
            count = numbers.tensor.numel()
            numbers.tensor = host[start : start + count].view(numbers.tensor.shape)
            start += count

    def is_done(self) -> bool:
        """Return whether all numbers have arrived."""
        return all(event.query() for event in self.copied)

    def wait(self) -> None:
        """Wait until all numbers have arrived."""
        for event in self.copied:
            event.synchronize()

    def write(self) -> None:
        """Write the events, which have arrived."""
        for event in self.events:
            event.write()
