# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `resuming` needs torch: it looks before each step, and at batches.

What is on a device is waited for: the instrument runs where a few runs are compared, and never
where time is measured.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.data import dataloader

from seed_init.hook import callers
from seed_init.proof.observer import core
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.tensors import digests, generators, optimizers
from seed_init.proof.observer.tensors.fingerprints import number, undisturbed
from seed_init.proof.observer.tensors.optimizers import ByIdentity
from seed_init.proof.observer.torch_hooks import unless_compiling

MOST_SAMPLES = 4096
"""Samples of a batch whose numbers are written; those of a larger batch have a digest only."""

MOST_BATCHES = 10_000
"""Batches that are kept for a step: a program may never call an optimizer."""

Batch = list[Any]
"""Number of the loader, epoch, batch, digest, numbers of the samples or None."""

_calls: "Counter[int]" = Counter()
"""Number of an optimizer -> how many steps it has made."""

_scaler: Any = None
"""The GradScaler that is calling an optimizer's step."""


def install() -> None:
    """Follow every optimizer, GradScaler and DataLoader of this process."""
    optimizers.watch()
    os.register_at_fork(after_in_child=_calls.clear)
    register_optimizer_step_pre_hook(unless_compiling(core.guarded(undisturbed(_before))))
    _watch_scalers()
    _batches.watch()


def _before(optimizer: Any, arguments: Any, keywords: Any) -> None:
    """Write what a step starts from."""
    if is_capturing():
        return
    of = optimizers.number(optimizer)
    core.journal.write(
        "state",
        optimizer=of,
        call=_calls[of],
        options=[_options(group) for group in optimizer.param_groups],
        state=_state(optimizer),
        scaler=_scale(),
        batches=_batches.take(),
    )
    _calls[of] += 1


def _options(group: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers among the options of a group of parameters, as texts that are exact."""
    found = {}
    for name, value in group.items():
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, (int, float)) or (
            isinstance(value, (tuple, list))
            and value
            and all(isinstance(part, (int, float)) for part in value)
        ):
            found[str(name)] = repr(list(value) if isinstance(value, tuple) else value)
    return found


def _state(optimizer: Any) -> dict[str, list[Any]]:
    """Return each kind of state, such as "exp_avg", with how many there are and their digest."""
    values: dict[str, list[Any]] = {}
    for parameter in optimizers.parameters(optimizer):
        # Not by [], which would make a state where there is none.
        own = optimizer.state.get(parameter)
        for name, value in (own or {}).items():
            if value is not None:
                values.setdefault(str(name), []).append(value)
    return {name: [len(each), _digest(each)] for name, each in sorted(values.items())}


def _digest(values: list[Any]) -> str:
    content = blake2b(digest_size=8)
    for value in values:
        if isinstance(value, torch.Tensor):
            # Without its type: a counter of steps may be a tensor or a number, here or there.
            content.update(b"%d" % number(value) if value.numel() > 1 else b"%r" % value.item())
        elif isinstance(value, (int, float)):
            content.update(b"%r" % float(value))
        else:
            content.update(digests.digest(value).encode())
    return content.hexdigest()


def _watch_scalers() -> None:
    # torch.amp has had it since 2.3.
    kind: Any = getattr(torch.amp, "GradScaler", torch.cuda.amp.GradScaler)
    original = kind.step

    @callers.like(original)
    def step(self: Any, *arguments: Any, **keywords: Any) -> Any:
        global _scaler
        outer, _scaler = _scaler, self
        try:
            return original(self, *arguments, **keywords)
        finally:
            _scaler = outer

    kind.step = step


def _scale() -> list[Any] | None:
    """Return the scale and the steps since it grew; None where no GradScaler makes the step."""
    if _scaler is None or not _scaler.is_enabled():
        return None
    kept = _scaler.state_dict()
    return [repr(float(kept["scale"])), int(kept["_growth_tracker"])]


class _Epoch:
    """One pass over a DataLoader: which samples are to come, in order."""

    def __init__(self, loader: int, number: int) -> None:
        self.loader = loader
        self.number = number
        self.batch = 0
        self.samples: deque[Any] = deque()
        self.is_begun = False

    def write(self) -> None:
        """Write where the generators stand."""
        rng = generators.positions()
        core.journal.write("epoch", loader=self.loader, epoch=self.number, rng=rng)


class _Batches:
    """What the DataLoaders of this process gave since the last step."""

    def __init__(self) -> None:
        self._since: list[Batch] = []
        self._loaders: ByIdentity[list[int]] = ByIdentity()
        self._count = 0
        self._epochs: ByIdentity[_Epoch] = ByIdentity()

    def take(self) -> list[Batch]:
        """Return the batches since this was last called."""
        taken, self._since = self._since, []
        return taken

    def watch(self) -> None:
        """Follow every DataLoader."""
        base: Any = dataloader._BaseDataLoaderIter
        for name, stand_in in (
            ("__init__", self._making),
            ("_reset", self._resetting),
            ("_next_index", self._indexing),
            ("__next__", self._giving),
        ):
            original = getattr(base, name)
            setattr(base, name, callers.like(original)(stand_in(original)))

    def _making(self, original: Callable[..., None]) -> Callable[..., None]:
        begin = core.guarded(self._begin)

        def __init__(iterator: Any, loader: Any, *arguments: Any, **keywords: Any) -> None:
            begin(iterator, loader)
            original(iterator, loader, *arguments, **keywords)

        return __init__

    def _resetting(self, original: Callable[..., None]) -> Callable[..., None]:
        begin = core.guarded(self._begin)

        def _reset(iterator: Any, loader: Any, first_iter: bool = False) -> None:
            if not first_iter:
                begin(iterator, loader)
            original(iterator, loader, first_iter)

        return _reset

    def _indexing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        add = core.guarded(self._add_samples)

        def _next_index(iterator: Any) -> Any:
            samples = original(iterator)
            add(iterator, samples)
            return samples

        return _next_index

    def _giving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        add = core.guarded(undisturbed(self._add))
        first = core.guarded(self._first)

        def __next__(iterator: Any) -> Any:
            first(iterator)
            batch = original(iterator)
            add(iterator, batch)
            return batch

        return __next__

    def _begin(self, iterator: Any, loader: Any) -> None:
        """An iterator begins an epoch: it has not yet drawn anything."""
        known = self._loaders.get(loader)
        if known is None:
            known = [self._count, 0]
            self._count += 1
            self._loaders.set(loader, known)
        epoch = _Epoch(*known)
        self._epochs.set(iterator, epoch)
        epoch.write()
        known[1] += 1

    def _first(self, iterator: Any) -> None:
        """The program asks for a batch: it may have restored generators since the epoch began."""
        epoch = self._epochs.get(iterator)
        if epoch is not None and not epoch.is_begun:
            epoch.is_begun = True
            epoch.write()

    def _add_samples(self, iterator: Any, samples: Any) -> None:
        epoch = self._epochs.get(iterator)
        if epoch is not None:
            epoch.samples.append(samples)

    def _add(self, iterator: Any, batch: Any) -> None:
        epoch = self._epochs.get(iterator)
        if epoch is None:
            return
        samples = epoch.samples.popleft() if epoch.samples else None
        if len(self._since) < MOST_BATCHES:
            told = [epoch.loader, epoch.number, epoch.batch, digests.digest(batch)]
            self._since.append([*told, _numbers(samples)])
        epoch.batch += 1


def _numbers(samples: Any) -> list[int] | None:
    """Return the numbers of the samples of a batch; None where the data set has none."""
    if isinstance(samples, torch.Tensor):
        samples = samples.tolist()
    if isinstance(samples, int):
        return [samples]
    if not isinstance(samples, (list, tuple)) or len(samples) > MOST_SAMPLES:
        return None
    numbers = [int(sample) if hasattr(sample, "__index__") else None for sample in samples]
    return None if None in numbers else [number for number in numbers if number is not None]


_batches = _Batches()
