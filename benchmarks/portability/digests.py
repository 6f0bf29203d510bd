# SPDX-License-Identifier: Apache-2.0
"""One digest for arrays: equal only if types, shapes and bits are equal."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

LENGTH = 12
"""Hexadecimal digits of a digest: 48 bits."""


def of_arrays(arrays: Iterable[Any]) -> str:
    """The digest of some arrays, tensors or numbers, in their order.

    Every NaN counts as the same one: which of two NaNs an instruction hands on is not a number.
    """
    digest = hashlib.sha256()
    for value in arrays:
        array = _array(value)
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(_with_one_nan(array).tobytes())
    return digest.hexdigest()[:LENGTH]


def of(value: Any) -> str:
    """The digest of whatever a case computed: arrays in lists, tuples and dictionaries as well."""
    return of_arrays(leaves(value))


def leaves(value: Any) -> Iterator[Any]:
    """The arrays, tensors and numbers in a value."""
    if isinstance(value, dict):
        for name in value:
            yield from leaves(value[name])
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from leaves(each)
    elif value is not None:
        yield value


def _array(value: Any) -> "np.ndarray[Any, Any]":
    if not hasattr(value, "detach"):
        return np.ascontiguousarray(value)
    tensor = value.detach()
    if tensor.layout != _torch().strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor._is_zerotensor():  # has no memory: NumPy would read somebody else's
        tensor = tensor.clone()
    tensor = tensor.resolve_conj().resolve_neg().contiguous()
    if tensor.dtype == _torch().bfloat16:  # NumPy has none; float32 holds each of its values
        tensor = tensor.float()
    return np.asarray(tensor.numpy())


def _with_one_nan(array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    if array.dtype.kind == "c":
        real = np.ascontiguousarray(array).reshape(-1).view(array.real.dtype)
        return _with_one_nan(real)
    if array.dtype.kind != "f" or not np.isnan(array).any():
        return array
    return np.where(np.isnan(array), array.dtype.type(np.nan), array)


def _torch() -> Any:
    import torch

    return torch
