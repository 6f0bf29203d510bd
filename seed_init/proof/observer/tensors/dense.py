# SPDX-License-Identifier: Apache-2.0
"""This module reads what is in a tensor of any kind: the dense tensors that hold its contents.

Fingerprints and SHA-256 of tensors stand on it. `comparing/torch_files` does not: its source runs
in an interpreter that may not have this package, and its digests, which records keep, are of other
bytes: it adds up what a sparse tensor has twice, where this module must not compute anything.
"""

import ctypes
import sys
from typing import Any

import torch


def is_fake(tensor: torch.Tensor) -> bool:
    """Return True for a tensor without contents."""
    return has_no_contents(type(tensor), tensor.device)


def has_no_contents(kind: type, device: torch.device) -> bool:
    """Return True where tensors of a class and device have no contents.

    A lazy module's parameters get contents with its first batch (torch/nn/parameter.py).
    """
    fake: Any = sys.modules.get("torch._subclasses.fake_tensor")
    return (
        device.type == "meta"
        or issubclass(kind, torch.nn.parameter.UninitializedTensorMixin)
        or (fake is not None and issubclass(kind, fake.FakeTensor))
    )


def is_freed(tensor: torch.Tensor) -> bool:
    """Return True for a strided tensor whose memory has been given back: to read there would crash.

    FSDP gives the memory of gathered parameters back (torch/distributed/fsdp/_flat_param.py).
    """
    return not tensor.untyped_storage().nbytes()


def shape_of(tensor: torch.Tensor) -> "tuple[int | None, ...] | None":
    """Return the shape, with None for a dimension without one size; None without a shape.

    A nested tensor has no size where its parts differ, and a lazy module's parameter no shape.
    """
    try:
        return tuple(size if type(size) is int else None for size in tensor.shape)
    except RuntimeError:
        return None


def local(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return this process's piece of a tensor, and the index of the piece's first element."""
    if type(tensor) in (torch.Tensor, torch.nn.Parameter) or not hasattr(tensor, "to_local"):
        return tensor, 0
    distributed: Any = tensor
    return distributed.to_local(), _offset(distributed)


def _offset(tensor: Any) -> int:
    """Return where the local piece begins in a DTensor that is cut along its first dimension."""
    from torch.distributed.tensor import Shard
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    if tuple(tensor.placements) != (Shard(0),):
        return 0
    _, offsets = compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements
    )
    return int(offsets[0] * tensor.shape[1:].numel())


def parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Return the dense one-dimensional tensors that hold a tensor's contents."""
    inner: list[torch.Tensor]
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) and hasattr(
        tensor, "__tensor_flatten__"
    ):
        inner = [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
    elif tensor.layout == torch.sparse_coo:
        inner = [tensor._indices(), tensor._values()]
    elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        inner = [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        inner = [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    elif tensor.layout != torch.strided:
        inner = [tensor.to_dense()]
    elif tensor.is_nested:
        inner = [tensor._nested_tensor_size(), *tensor.unbind()]
    elif tensor.is_quantized:
        inner = [tensor.int_repr(), *_quantization(tensor)]
    elif tensor._is_zerotensor():
        inner = [tensor.clone()]  # forward-mode differentiation's zeros, which are not in memory
    elif is_freed(tensor):
        return [torch.empty(0, dtype=torch.uint8, device=tensor.device)]
    else:
        return [_flat(tensor)]
    return [part for piece in inner for part in parts(piece)]


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """Return the elements of a strided tensor, side by side in memory."""
    flat = tensor.resolve_conj().resolve_neg().contiguous().view(-1)
    # With up to one element a tensor counts as contiguous whatever its stride is, 0 where it was
    # expanded, and keeps that stride: as bytes there is no view of it.
    return flat if flat.stride(0) == 1 else flat.as_strided(flat.shape, (1,))


def _quantization(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Return the scales and the zero points of a quantized tensor."""
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        values = {torch.float64: tensor.q_scale(), torch.int64: tensor.q_zero_point()}
        return [
            torch.full((1,), value, dtype=dtype, device=tensor.device)
            for dtype, value in values.items()
        ]
    return [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]


def hash_bytes(hasher: Any, part: torch.Tensor) -> None:
    """Hash the bytes of a dense one-dimensional tensor. Waits for its device.

    By its address and not by its numpy(): there may be no NumPy, and NumPy has no bfloat16.

    Args:
        hasher: an object of hashlib.
        part: an item of `parts`.
    """
    on_cpu = part.cpu()  # with a name while it is read, because its memory goes with it
    size = on_cpu.numel() * on_cpu.element_size()
    if size:
        hasher.update((ctypes.c_char * size).from_address(on_cpu.data_ptr()))
