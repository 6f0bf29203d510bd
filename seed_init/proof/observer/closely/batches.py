# SPDX-License-Identifier: Apache-2.0
"""What a DataLoader hands out, in the window."""

import sys
from hashlib import blake2b
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import core, user_code
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.closely import state

DEPTH = 6
"""Levels of lists and dictionaries that are looked into."""

current: "int | None" = None
"""The number of the batch that is being made in this process, from 0; None: none is."""


arriving = False
"""True while a batch comes from workers: which of them is first, and so what happens here in which
order, is chance. The batch is written when it is complete."""


def install() -> None:
    """Follow every DataLoader of this process."""
    from torch.utils.data import dataloader

    base: Any = dataloader._BaseDataLoaderIter
    original = base.__next__

    @callers.like(original)
    def following(self: Any) -> Any:
        global current, arriving
        if not state.is_open:
            return original(self)
        number = current = self._num_yielded
        arriving = isinstance(self, dataloader._MultiProcessingDataLoaderIter)
        try:
            batch = original(self)
        finally:
            current, arriving = None, False
        see(number, batch)
        return batch

    @core.guarded
    def see(number: int, batch: Any) -> None:
        frame = user_code.user_frame()
        state.write("batch", number=number, digest=digest(batch), **user_code.source(frame))

    base.__next__ = following


def digest(value: Any) -> str:
    """A short text for the contents of a batch: tensors, arrays, numbers, texts, nested."""
    content = blake2b(digest_size=8)
    for part in _flat(value, DEPTH):
        content.update(part)
    return content.hexdigest()


def _flat(value: Any, depth: int) -> "list[bytes]":
    torch: Any = sys.modules.get("torch")  # which the program may never import
    if hasattr(torch, "Tensor") and isinstance(value, torch.Tensor):
        from seed_init.proof.observer.tensors.fingerprints import number, shape_of

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
