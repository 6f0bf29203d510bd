# SPDX-License-Identifier: Apache-2.0
"""This module computes the fingerprints of a list of tensors on the tensors' devices."""

import struct
from base64 import b64encode
from typing import Any

import torch

from seed_init.proof.observer import core
from seed_init.proof.observer.tensors import dense, fingerprints
from seed_init.proof.trace import journal

NONE = 1
"""Stands for what is not there: a gradient that is None; that of a gradient of zeros is 0."""

SMALL = 1 << 12
"""Words up to which a tensor is computed together with others: where each operation costs more
than a copy."""

MOST_JOINED = 2
"""How often `fingerprints.CHUNK` words of small tensors are; what is beyond is computed singly."""

Description = tuple[Any, ...] | None
"""What a tensor's position in a layout depends on: type, shape, dtype, device, memory layout."""


def describe(tensors: "list[torch.Tensor | None]") -> list[Description]:
    """Return a description of each tensor; two lists that are equal have equal layouts."""
    try:
        return [
            None
            if tensor is None
            else (type(tensor), tensor.shape, tensor.dtype, tensor.device, tensor.layout)
            for tensor in tensors
        ]
    except RuntimeError:  # one of them has no shape
        return [None if tensor is None else _description(tensor) for tensor in tensors]


def _description(tensor: torch.Tensor) -> Description:
    try:
        shape = tensor.shape
    except RuntimeError:  # nested, or a lazy module's parameter
        shape = None
    return type(tensor), shape, tensor.dtype, tensor.device, tensor.layout


def sizes(description: Description) -> "list[int | None] | None":
    """Return the sizes in a description, with None for a dimension without one size."""
    if description is None or description[1] is None:
        return None
    return [size if type(size) is int else None for size in description[1]]


class OnDevice:
    """A tensor that may be on a device, and the stream that it is computed on there."""

    __slots__ = ("stream", "tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        self.stream = fingerprints.stream(tensor.device)


class Vector:
    """The numbers of some tensors.

    Args:
        length: how many tensors.
        pieces: for each device, indices in the list, and the numbers of the tensors there.
    """

    def __init__(self, length: int, pieces: list[tuple[list[int], OnDevice]]) -> None:
        self.length = length
        self.pieces = pieces

    def encoded(self) -> str:
        """Return Base64 of one little-endian int64 by tensor. The pieces must be on the CPU."""
        values = [NONE] * self.length
        for indices, numbers in self.pieces:
            for index, value in zip(indices, numbers.tensor.tolist()):
                values[index] = value
        return b64encode(struct.pack(f"<{self.length}q", *values)).decode()


class Layout:
    """How the numbers of some tensors are computed: many small ones together.

    Args:
        descriptions: of the tensors.
    """

    def __init__(self, descriptions: list[Description]) -> None:
        self.length = len(descriptions)
        self.devices: dict[torch.device, list[Group]] = {}
        joined = _joined(descriptions)
        apart = set(range(self.length)).difference(*(group.indices for group in joined))
        for group in joined + [Group([index], []) for index in sorted(apart)]:
            description = descriptions[group.indices[0]]
            if description is not None:
                kind, _, _, device, _ = description
                if not dense.has_no_contents(kind, device):
                    self.devices.setdefault(device, []).append(group)

    def vector(self, tensors: "list[torch.Tensor | None]") -> Vector:
        """Compute the numbers of tensors of this layout."""
        pieces = []
        for device, groups in self.devices.items():
            indices = [index for group in groups for index in group.indices]
            out = torch.empty(len(indices), dtype=torch.int64, device=device)
            start = 0
            for group in groups:
                end = start + len(group.indices)
                group.compute(tensors, out[start:end])
                start = end
            pieces.append((indices, OnDevice(out)))
        return Vector(self.length, pieces)


class Group:
    """Some tensors of a list that are computed together, or a single one.

    Args:
        indices: where its tensors stand in the list of all tensors.
        counts: words of each of several.
    """

    def __init__(self, indices: list[int], counts: list[int]) -> None:
        self.indices = indices
        self.counts = counts
        self.joined: dict[Any, fingerprints.Joined] = {}  # by stream

    def compute(self, tensors: list[Any], out: torch.Tensor) -> None:
        """Compute the numbers of those among `tensors`."""
        members = [tensors[index] for index in self.indices]
        try:
            self._compute(members, out)
        except Exception as error:
            core.report_unreadable(members[0], error)
            out.fill_(journal.UNREADABLE)

    def _compute(self, members: list[Any], out: torch.Tensor) -> None:
        # Without an address: memory that was given back, of which torch.cat would read.
        if not self.counts or not all(tensor.data_ptr() for tensor in members):
            for index, tensor in enumerate(members):
                fingerprints.compute(tensor, out[index])
            return
        stream = fingerprints.stream(out.device)
        joined = self.joined.get(stream)
        if joined is None:
            joined = self.joined[stream] = fingerprints.Joined(self.counts, out.device)
        joined.compute(members, out)


def _joined(descriptions: list[Description]) -> list[Group]:
    """Return the groups of small tensors."""
    groups: dict[Any, Group] = {}
    full: list[Group] = []
    for index, description in enumerate(descriptions):
        if description is None or not _is_small(description):
            continue
        _, shape, dtype, device, _ = description
        count = shape.numel() * dtype.itemsize // 8
        group = groups.setdefault((device, dtype), Group([], []))
        if sum(group.counts) + count > fingerprints.CHUNK:
            full.append(group)
            group = groups[device, dtype] = Group([], [])
        group.indices.append(index)
        group.counts.append(count)
    joined = full + list(groups.values())
    return [group for group in joined[:MOST_JOINED] if len(group.indices) > 1]


def _is_small(description: Any) -> bool:
    """Return whether a tensor of this description can be computed together with others."""
    kind, shape, dtype, device, layout = description
    if kind not in (torch.Tensor, torch.nn.Parameter) or shape is None:
        return False
    size = shape.numel() * dtype.itemsize
    return (
        layout == torch.strided
        and device.type != "meta"
        and not dtype.is_complex  # it may be a view that conjugates
        and dtype not in QUANTIZED
        and 0 < size <= 8 * SMALL
        and size % 8 == 0
    )


QUANTIZED = (torch.quint8, torch.qint8, torch.qint32, torch.quint4x2, torch.quint2x4)
