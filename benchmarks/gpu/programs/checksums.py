"""A checksum of the bits of tensors, made on the device; and whether this is a rehearsal."""

import os
from collections.abc import Iterable
from typing import Any

import torch

MULTIPLIER, INCREMENT = 6364136223846793005, 1442695040888963407
"""Of Knuth's MMIX generator: they make odd weights of the indices."""


def checksum(tensors: Iterable[Any]) -> Any:
    """Of the bits of tensors, on the device. One changed element always changes it.

    Integers are added up: the order does not matter.
    """
    total = torch.zeros((), dtype=torch.int64, device="cuda")
    for tensor in tensors:
        flat = tensor.detach().contiguous().reshape(-1)
        bits = flat.view(torch.int16 if flat.element_size() % 2 == 0 else torch.uint8).long()
        weights = torch.arange(bits.numel(), device="cuda").mul_(MULTIPLIER).add_(INCREMENT)
        total = total * 31 + bits.mul_(weights.bitwise_or_(1)).sum()
    return total


def without_cudnn_in_a_rehearsal() -> None:
    """A runtime that computes nothing has not all of cuDNN: PyTorch has kernels of its own."""
    if "GPU_REHEARSAL" in os.environ:
        torch.backends.cudnn.enabled = False
