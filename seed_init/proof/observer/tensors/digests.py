# SPDX-License-Identifier: Apache-2.0
"""This module digests values of any kind: tensors, arrays, numbers, texts, nested.

torch need not be there, and is not imported.
"""

import sys
from hashlib import blake2b
from typing import Any

from seed_init.proof.observer import core
from seed_init.proof.observer.capturing import is_capturing

DEPTH = 6
"""Levels of lists and dictionaries that are looked into."""


def digest(value: Any) -> str:
    """Return a short text for the contents of a value: tensors, arrays, numbers, texts, nested."""
    content = blake2b(digest_size=8)
    for part in _flat(value, DEPTH):
        content.update(part)
    return content.hexdigest()


def _flat(value: Any, depth: int) -> "list[bytes]":
    torch: Any = sys.modules.get("torch")  # which the program may never import
    if hasattr(torch, "Tensor") and isinstance(value, torch.Tensor):
        from seed_init.proof.observer.tensors.dense import shape_of
        from seed_init.proof.observer.tensors.fingerprints import number

        head = f"{value.dtype}{shape_of(value)}"
        if value.device.type == "cuda" and is_capturing():
            return [head.encode()]  # its contents come when the graph is replayed
        try:
            return [f"{head}{number(value, on_host=True)}".encode()]
        except Exception as error:
            core.report_unreadable(value, error)
            return [head.encode()]
    if isinstance(value, dict) and depth:
        return [
            part
            for key, inner in value.items()
            for part in (repr(key).encode(), *_flat(inner, depth - 1))
        ]
    if isinstance(value, (list, tuple)) and depth:
        return [b"(", *(part for inner in value for part in _flat(inner, depth - 1)), b")"]
    if isinstance(value, (int, float, complex, str, bytes, bool, type(None))):
        return [repr(value).encode()]
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        if getattr(value.dtype, "hasobject", False):  # its bytes are addresses
            return _flat(value.tolist(), depth - 1) if depth else [b"objects"]
        return [f"{value.dtype}{value.shape}".encode(), value.tobytes()]
    if hasattr(value, "__dict__") and depth:
        return [type(value).__name__.encode(), *_flat(vars(value), depth - 1)]
    return [type(value).__name__.encode()]
