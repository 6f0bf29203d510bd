"""A 64-bit number for the contents of a tensor, computed where the tensor is.

The bits of each element, read as a whole number of at most 32 bits, times an odd 64-bit weight of
its place, summed modulo 2**64. Such a sum does not depend on the order in which it is taken, so it
is the same for any number of threads and on any device. It tells every change of one element, and
others but for one case in 2**31 or so; it is made for accidents, not for adversaries.

Products of 32 bits would not do: two flipped signs cancel in half of all cases (2**31 times an odd
number is 2**31 again). For the same reason elements of 64 bits are read as two of 32.

On a CPU it takes a third of the time of SHA-256 (docs/verify.md has the figures).
"""

from functools import cache
from typing import Any

import torch

CHUNK = 1 << 18
"""Elements at a time: what fits a CPU's cache, and the memory that this needs, 4 MiB a device."""

NONE = 1
"""Stands for a gradient that is None; the number of a gradient of zeros is 0."""

MASK = 2**64 - 1


def fingerprint(tensor: torch.Tensor, out: torch.Tensor, offset: int = 0) -> None:
    """Compute a tensor's number.

    Args:
        tensor: any shape, dtype, device and layout.
        out: 0-dimensional int64 tensor on the same device, which receives it.
        offset: of the tensor's first element in the one that it is a piece of. The numbers of
            the pieces add up to that of the whole.
    """
    tensor, start = _whole(tensor.detach())
    parts = _parts(tensor)
    if len(parts) == 1:
        _sum(parts[0], out, offset + start)
        return
    numbers = torch.empty(len(parts), dtype=torch.int64, device=out.device)
    for number, part in zip(numbers, parts):
        _sum(part, number, 0)
    _sum(numbers.view(torch.int32), out, 0)


def number(tensor: torch.Tensor) -> int:
    """The number of a tensor on the CPU, 0 to 2**64 - 1."""
    out = torch.empty((), dtype=torch.int64)
    fingerprint(tensor, out)
    return int(out) & MASK


def _whole(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """What this process holds of a tensor, and the place of its first element in the tensor."""
    if not hasattr(tensor, "to_local"):
        return tensor, 0
    distributed: Any = tensor
    return distributed.to_local(), _offset(distributed)


def _offset(tensor: Any) -> int:
    """The place of the local piece of a DTensor that is cut along its first dimension."""
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    if tuple(tensor.placements) != (Shard(0),):
        return 0
    _, offsets = compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements
    )
    return int(offsets[0] * tensor.shape[1:].numel())


def _parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The dense tensors that hold a tensor's contents, as whole numbers of at most 32 bits."""
    if tensor.layout == torch.sparse_coo:
        held = [tensor._indices(), tensor._values()]
    elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        held = [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        held = [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    elif tensor.is_quantized:
        held = [tensor.int_repr()]
    elif tensor.layout != torch.strided:
        held = [tensor.to_dense()]
    elif hasattr(tensor, "__tensor_flatten__"):
        names, _ = tensor.__tensor_flatten__()
        held = [getattr(tensor, name).detach() for name in names]
    else:
        return [_lanes(tensor)]
    return [_lanes(part) for part in held]


_LANE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int32}


def _lanes(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    flat = tensor.resolve_neg().contiguous().view(-1)
    return flat.view(_LANE[flat.element_size()])


def _sum(lanes: torch.Tensor, out: torch.Tensor, offset: int) -> None:
    weights, scratch = _tools(lanes.device)
    count = lanes.numel()
    if offset == 0 and count <= CHUNK:
        products = scratch[:count]
        torch.mul(lanes, weights[:count], out=products)
        torch.sum(products, 0, out=out)
        return
    first, last = offset // CHUNK, (offset + count - 1) // CHUNK
    sums = torch.empty(last - first + 1, dtype=torch.int64, device=lanes.device)
    for place, chunk in enumerate(range(first, last + 1)):
        begin, end = max(chunk * CHUNK, offset), min((chunk + 1) * CHUNK, offset + count)
        within = begin - chunk * CHUNK
        products = scratch[: end - begin]
        torch.mul(
            lanes[begin - offset : end - offset],
            weights[within : within + end - begin],
            out=products,
        )
        torch.sum(products, 0, out=sums[place])
    sums.mul_(_chunk_weights(first, last + 1, lanes.device))
    torch.sum(sums, 0, out=out)


@cache
def _tools(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of the places in a chunk, and room for the products."""
    return _odd(0, CHUNK, device), torch.empty(CHUNK, dtype=torch.int64, device=device)


@cache
def _chunk_weights(first: int, end: int, device: torch.device) -> torch.Tensor:
    """A second factor by chunk; 1 for the first one, so that small tensors need none."""
    weights = _odd(1 << 40, end, device)
    weights[0] = 1
    return weights[first:]


def _odd(start: int, count: int, device: torch.device) -> torch.Tensor:
    """Odd numbers of 64 bits: SplitMix64 of start, start + 1, ... (https://prng.di.unimi.it/)."""
    z = torch.arange(1, count + 1, dtype=torch.int64, device=device) + start
    z = z * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    return (z ^ _shifted(z, 31)) | 1


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _shifted(value: torch.Tensor, bits: int) -> torch.Tensor:
    """Right, without the sign: torch's >> keeps it."""
    return (value >> bits) & (2 ** (64 - bits) - 1)
