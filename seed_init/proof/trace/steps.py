# SPDX-License-Identifier: Apache-2.0
"""These objects say what a process trained: where optimizers start, each step, and the end.

A journal and a record have two encodings of them (`packing`). `training_of` and `end_of` are the
only way from either to the objects here, so that nobody else needs to know which one was read.
"""

import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from seed_init.proof.trace.columns import folded, summed, unreadable
from seed_init.proof.trace.journal import Process

Event = Mapping[str, Any]
KINDS = ("gradients", "parameters")

Names = Mapping[tuple[int, str], Sequence[str]]
"""Optimizer and kind of tensors -> their qualified names."""


class Loss(NamedTuple):
    """What one backward pass started from.

    Attributes:
        value: the number; a text where JSON has no such number ("nan"); None where the loss is a
            tensor of several numbers.
        bits: 16 hexadecimal digits: of the number as a double, else the tensor's fingerprint.
    """

    value: float | str | None
    bits: str


@dataclass(slots=True)
class Tensors:
    """The fingerprints of all gradients, or of all parameters, at one moment.

    Attributes:
        names: the qualified names, in order; fewer where no table has them.
        vector: 64 bits of each tensor in base64, as a journal has them; None where a record was
            read.
        columns: of a record, 16 bits for each group of neighbours.
        group: how many tensors a column stands for.
        total: of a record, 64 bits for all tensors.
        unreadable: of a record, the columns with a tensor that could not be read, as bits.
    """

    names: Sequence[str]
    vector: str | None = None
    columns: Sequence[int] = ()
    group: int = 1
    total: str = ""
    unreadable: int = 0

    @classmethod
    def from_json(cls, event: Event, kind: str, names: Names) -> "Tensors | None":
        """The tensors of a start or a step; None where it has none of this kind.

        Args:
            event: as `journal.read` or `packing.unpack` gives it.
            kind: "gradients" or "parameters".
            names: the tables of names so far.
        """
        content = event.get(kind)
        if content is None:
            return None
        named = names.get((event["optimizer"], kind), ())
        if isinstance(content, str):
            return cls(named, content)
        group, total = event["short"]["group"][kind], event["sums"][kind]
        bits = int(event.get("unreadable", {}).get(kind, "0"), 16)
        return cls(named, None, content, group, total, bits)

    def numbers(self) -> tuple[int, ...]:
        """The fingerprint of each tensor, of 64 bits. Only a journal has them."""
        raw = b64decode(self.vector or "")
        return struct.unpack(f"<{len(raw) // 8}q", raw)

    def shortened(self) -> "Tensors":
        """As a record has them: itself where it comes from one."""
        if self.vector is None:
            return self
        raw = b64decode(self.vector)
        return Tensors(self.names, None, folded(raw), 1, summed(raw), unreadable(raw))

    def count(self) -> int:
        """How many tensors there are; where columns stand for groups, how many have a name."""
        if self.vector is not None:
            return len(self.numbers())
        return len(self.columns) if self.group == 1 else len(self.names)


@dataclass(slots=True)
class Start:
    """An optimizer before its first step.

    Attributes:
        optimizer: its number in its process, from 0, in order of creation.
        parameters: what it starts from.
    """

    optimizer: int
    parameters: Tensors | None

    @property
    def call(self) -> int:
        """The call that follows: a start belongs to the first step."""
        return 0

    @classmethod
    def from_json(cls, event: Event, names: Names) -> "Start":
        """The start that an event describes; the arguments are those of `Tensors.from_json`."""
        return cls(event["optimizer"], Tensors.from_json(event, "parameters", names))


@dataclass(slots=True, eq=False)
class Step:
    """One step of an optimizer.

    A run has ten thousands of them, of which most are only found to be equal: what a step has is
    made into objects when it is asked for.

    Attributes:
        optimizer: as in `Start`.
        call: number of the call of this optimizer, from 0.
    """

    optimizer: int
    call: int
    _event: Event
    _names: Names

    @classmethod
    def from_json(cls, event: Event, names: Names) -> "Step":
        """The step that an event describes.

        Args:
            event: as in `Tensors.from_json`.
            names: likewise; nobody changes them later.
        """
        return cls(event["optimizer"], event["call"], event, names)

    def later(self, calls: int) -> "Step":
        """The same step with another number, for a process that went on where another one was.

        Args:
            calls: how many more calls of the optimizer there were before.
        """
        return Step(self.optimizer, self.call + calls, self._event, self._names)

    @property
    def generators(self) -> Mapping[str, str]:
        """Name -> where the generator stands."""
        positions: Mapping[str, str] = self._event["rng"]
        return positions

    @property
    def losses(self) -> list[Loss]:
        """The loss of each backward pass, in order."""
        return [Loss(*pair) for pair in self._event["loss"]]

    @property
    def gradients(self) -> Tensors | None:
        """None where the step has none."""
        return Tensors.from_json(self._event, "gradients", self._names)

    @property
    def parameters(self) -> Tensors | None:
        """The parameters after the step."""
        return Tensors.from_json(self._event, "parameters", self._names)

    def is_surely(self, step: "Step") -> bool:
        """True where two steps are equal at the first look; False does not say that they differ."""
        event, other_event = self._event, step._event
        return bool(
            event["rng"] == other_event["rng"]
            and event["loss"] == other_event["loss"]
            and event.get("sums") == other_event.get("sums")
            and all(
                _is_short(event, kind) or event.get(kind) == other_event.get(kind) for kind in KINDS
            )
        )

    @property
    def loss(self) -> float | None:
        """The mean over the step's backward passes; None where none gave a number."""
        # JSON has no nan and no inf, so that they are there by name, which float() reads.
        values = [float(value) for value, _ in self._event["loss"] if value is not None]
        return sum(values) / len(values) if values else None


def _is_short(event: Event, kind: str) -> bool:
    """Return whether an event has the columns and the sum of a record, not each tensor's number."""
    return isinstance(event.get(kind), list)


Moment = Start | Step


@dataclass(slots=True)
class End:
    """What a process leaves when it ends.

    Attributes:
        generators: name -> where the generator stands.
        finals: optimizer -> SHA-256 of each final parameter; empty for one without contents.
        compiled: torch.compile has compiled something.
        names: optimizer -> the qualified names of its parameters.
    """

    generators: Mapping[str, str]
    finals: Mapping[int, Sequence[str]]
    compiled: bool
    names: Mapping[int, Sequence[str]]

    @classmethod
    def from_json(cls, event: Event, names: Names) -> "End":
        """The end that an event describes.

        Args:
            event: as `journal.read` or `packing.unpack` gives it.
            names: the tables of names of the whole process.
        """
        return cls(
            event["generators"],
            {final["optimizer"]: final["digests"] for final in event["final"]},
            bool(event.get("compiled")),
            {optimizer: of for (optimizer, kind), of in names.items() if kind == "parameters"},
        )


def training_of(process: Process) -> list[Moment]:
    """The starts and the steps of a process, in order."""
    names: Names = {}
    moments: list[Moment] = []
    for event in process.events:
        kind = event["event"]
        if kind == "step":
            moments.append(Step.from_json(event, names))
        elif kind == "start":
            moments.append(Start.from_json(event, names))
        elif kind == "tensors":
            # Not in place: the steps before keep the names that they had.
            names = {**names, (event["optimizer"], event["kind"]): event["names"]}
    return moments


def steps_of(process: Process) -> list[Step]:
    """The steps of a process, in order."""
    return [moment for moment in training_of(process) if isinstance(moment, Step)]


@dataclass
class Trained:
    """A process together with what it trained, which is read when it is first asked for."""

    process: Process

    @cached_property
    def moments(self) -> list[Moment]:
        """Its starts and steps, in order."""
        return training_of(self.process)

    @cached_property
    def end(self) -> End | None:
        """What it wrote when it ended; None where it was killed."""
        return end_of(self.process)


def end_of(process: Process) -> End | None:
    """What a process wrote when it ended; None where it was killed."""
    ends = process.of("end")
    if not ends:
        return None
    tables = process.of("tensors")
    names: Names = {(table["optimizer"], table["kind"]): table["names"] for table in tables}
    return End.from_json(ends[-1], names)
