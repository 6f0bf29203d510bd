# SPDX-License-Identifier: Apache-2.0
"""This module writes what a DataLoader hands out while the window is open."""

from typing import Any

from torch.utils.data import dataloader

from seed_init.hook import callers
from seed_init.proof.observer import core, user_code
from seed_init.proof.observer.closely import state
from seed_init.proof.observer.tensors import digests

current: "int | None" = None
"""The number of the batch that is being made in this process, from 0; None: none is."""


arriving = False
"""True while a batch comes from workers: which of them is first, and so what happens here in which
order, is chance. The batch is written when it is complete."""


def install() -> None:
    """Follow every DataLoader of this process."""
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
        state.write("batch", number=number, digest=digests.digest(batch), **user_code.source(frame))

    base.__next__ = following
