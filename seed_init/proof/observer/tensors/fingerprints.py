# SPDX-License-Identifier: Apache-2.0
"""This module computes a 64-bit number of a tensor's contents, where the tensor is.

The bytes of the tensor, in the order of its elements, are read as words of 64 bits, the last one
filled up with zeros. Each word x becomes x + (x >> 31), is multiplied by an odd 64-bit weight of
its place, and all are summed modulo 2**64. Such a sum does not depend on the order in which it is
taken, so it is the same for any number of threads and on any device. It tells every change within
32 bits, so of one float, and every other one but for a case in 2**31 or so; it is made for
accidents, not for adversaries.

Why x + (x >> 31): a product modulo 2**64 keeps of a word's high bits only the high bits. Without
it two flipped signs in the upper halves of words would cancel, always (2**63 times an odd number
is 2**63). With it the high half counts in the low one as well. By 31 and not by 32, so that the
flipped signs of two neighbours do not cancel within their word either.

Memory: 1 MiB of weights on each device, and as much for the products on a CPU; at most 16 MiB
for them on another device, from its allocator and given back at once; `vectors` keeps weights for
small tensors, at most 2 MiB an optimizer, twice. More only for a tensor whose elements do not lie
in order (a copy of it).
"""

import os
from collections.abc import Callable
from functools import cache, wraps
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import torch

from seed_init.proof.observer import keeping
from seed_init.proof.observer.capturing import is_capturing
from seed_init.proof.observer.tensors import dense

CHUNK = 1 << 17
"""Words of which each has a weight of its own; those of the next chunk have these, times a
factor. What fits the cache of a core, and is enough for two threads."""

ROWS = 16
"""Chunks at a time on a device other than a CPU, where each launch costs as much as a few."""

MASK = 2**64 - 1

Function = TypeVar("Function", bound=Callable[..., Any])


def undisturbed(function: Function) -> Function:
    """Return the function, which neither sees the program's modes nor is seen by them.

    Inference mode: no graph is recorded, and what is read keeps its version. No mode and no
    subclass sees what is called, nor a default device.
    """

    @wraps(function)
    def inner(*arguments: Any, **keywords: Any) -> Any:
        with torch._C.DisableTorchFunction(), torch._C._InferenceMode(True):
            if not torch._C._len_torch_dispatch_stack():
                return function(*arguments, **keywords)
            from torch.utils._python_dispatch import _disable_current_modes

            with _disable_current_modes():
                return function(*arguments, **keywords)

    return inner  # type: ignore[return-value]


@undisturbed
def fingerprint(tensor: torch.Tensor, out: torch.Tensor, offset: int = 0) -> None:
    """Compute a tensor's number.

    Args:
        tensor: any shape, dtype, device and layout.
        out: 0-dimensional int64 tensor on the same device, which receives it.
        offset: of the tensor's first element in the one that it is a piece of. The numbers of
            the pieces add up to that of the whole.
    """
    compute(tensor, out, offset)


@undisturbed
def number(tensor: torch.Tensor, on_host: bool = False) -> int:
    """Return a tensor's number, 0 to 2**64 - 1, or 0 without contents. Waits for its device.

    Args:
        tensor: any shape, dtype, device and layout.
        on_host: copy it to the CPU first, so that nothing is computed on its device.
    """
    if dense.is_fake(tensor):
        return 0
    device = torch.device("cpu") if on_host else tensor.device
    out = torch.empty((), dtype=torch.int64, device=device)
    compute(tensor, out)
    return int(out) & MASK


def wait_for(tensors: list[torch.Tensor]) -> None:
    """Wait for the CUDA devices of tensors, on which any stream may be computing these still.

    A copy to the host waits for the stream that is current only.

    Raises:
        RuntimeError: a CUDA graph is being captured, which waiting would break.
    """
    real = [tensor for tensor in tensors if not dense.is_fake(tensor)]
    devices = {tensor.device for tensor in real if tensor.device.type == "cuda"}
    if devices and is_capturing():
        raise RuntimeError("a CUDA graph is being captured")
    for device in devices:
        torch.cuda.synchronize(device)


def number_of_storage(storage: torch.UntypedStorage) -> int:
    """Return the number of the bytes of a storage; 0 for a storage without contents."""
    if storage.device.type == "meta":
        return 0
    return number(_bytes_of(storage), on_host=True)


@undisturbed
def _bytes_of(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


def compute(tensor: torch.Tensor, out: torch.Tensor, offset: int = 0) -> None:
    """Compute a tensor's number as `fingerprint` does, for a caller that is `undisturbed` itself.

    Where `out` is on the CPU and the tensor is not, the tensor is copied there.
    """
    tensor, start = dense.local(tensor)
    parts = dense.parts(tensor)
    # The sizes of a nested tensor are on the CPU, wherever its contents are.
    parts = [part if part.device == out.device else moved(part, out.device) for part in parts]
    if len(parts) == 1:
        part = parts[0]
        _sum(part.view(torch.uint8), out, (offset + start) * part.element_size())
        return
    numbers = torch.empty(len(parts), dtype=torch.int64, device=out.device)
    for index, part in enumerate(parts):
        _sum(part.view(torch.uint8), numbers[index], 0)
    _sum(numbers.view(torch.uint8), out, 0)


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a copy on another device, which is queued where it goes from the CPU to CUDA."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    # From other memory than such as is pinned the copy would wait.
    return tensor.pin_memory().to(device, non_blocking=True)


class Joined:
    """The numbers of many small tensors of one dtype, in a few operations for all.

    The sum over each is the difference of two running sums over all.

    Args:
        counts: words of each tensor.
        device: where they are.
    """

    def __init__(self, counts: list[int], device: torch.device) -> None:
        weights = _weights(device)
        self.weights = torch.cat([weights[:count] for count in counts])
        self.ends = moved(torch.tensor([0, *accumulate(counts)], device="cpu"), device)

    def compute(self, tensors: list[torch.Tensor], out: torch.Tensor) -> None:
        """Compute the numbers.

        Args:
            tensors: dense, of these sizes and without a rest of a word.
            out: 1-dimensional int64 tensor, which receives them.
        """
        words = torch.cat([tensor.reshape(-1) for tensor in tensors]).view(torch.int64)
        products = words >> 31
        products.add_(words).mul_(self.weights)
        running = torch.zeros(len(words) + 1, dtype=torch.int64, device=words.device)
        torch.cumsum(products, 0, out=running[1:])
        at_ends = running.index_select(0, self.ends)
        torch.sub(at_ends[1:], at_ends[:-1], out=out)


def _padded(content: torch.Tensor, before: int) -> torch.Tensor:
    """Return bytes as words, with zeros before and after."""
    size = content.numel()
    words = torch.zeros((before + size + 7) // 8, dtype=torch.int64, device=content.device)
    words.view(torch.uint8)[before : before + size].copy_(content)
    return words


def _sum(content: torch.Tensor, out: torch.Tensor, offset: int) -> None:
    """Compute the number of some bytes that begin at `offset` in the whole."""
    before, size, device = offset % 8, content.numel(), content.device
    if not size:
        out.zero_()
        return
    if before or size % 8 or content.storage_offset() % 8:
        if size <= 8 * CHUNK:
            content = _padded(content, before).view(torch.uint8)
        else:
            _sum_in_pieces(content, out, offset)
            return
    words, first_word = content.view(torch.int64), offset // 8
    count = words.numel()
    if first_word == 0 and count <= CHUNK:
        scratch = _take(device, count)
        _products(words, scratch[:count], 0)
        torch.sum(scratch[:count], 0, out=out)
        _give(scratch)
        return
    cuts = _cuts(first_word, count, 1 if device.type == "cpu" else ROWS)
    first, last = first_word // CHUNK, (first_word + count - 1) // CHUNK
    sums = torch.empty(last - first + 1, dtype=torch.int64, device=device)
    scratch = _take(device, max(end - begin for begin, end in cuts))
    done = 0
    for begin, end in cuts:
        products, within = scratch[: end - begin], (first_word + begin) % CHUNK
        if end - begin > CHUNK:
            products = products.view(-1, CHUNK)
            _products(words[begin:end].view(-1, CHUNK), products, 0)
            torch.sum(products, 1, out=sums[done : done + len(products)])
            done += len(products)
        else:
            _products(words[begin:end], products, within)
            torch.sum(products, 0, out=sums[done])
            done += 1
    _give(scratch)
    sums.mul_(_factors(last + 1, device)[first : last + 1])
    torch.sum(sums, 0, out=out)


def _sum_in_pieces(content: torch.Tensor, out: torch.Tensor, offset: int) -> None:
    """Compute the number of bytes that are not whole words, by a copy of a piece at a time."""
    # Up to a boundary of words first, so that only the ends are filled up.
    starts = [0, *range(8 * CHUNK - offset % 8, content.numel(), 8 * CHUNK), content.numel()]
    numbers = torch.empty(len(starts) - 1, dtype=torch.int64, device=content.device)
    for index, (begin, end) in enumerate(pairwise(starts)):
        _sum(content[begin:end].clone(), numbers[index], offset + begin)
    torch.sum(numbers, 0, out=out)


def _cuts(first_word: int, count: int, rows: int) -> list[tuple[int, int]]:
    """Return where to cut words: at the chunks' boundaries, some whole chunks together."""
    cuts, begin = [], 0
    while begin < count:
        left = CHUNK - (first_word + begin) % CHUNK
        if left == CHUNK and count - begin >= CHUNK:
            left = min((count - begin) // CHUNK, rows) * CHUNK
        end = min(begin + left, count)
        cuts.append((begin, end))
        begin = end
    return cuts


def _products(words: torch.Tensor, out: torch.Tensor, within: int) -> None:
    torch.bitwise_right_shift(words, 31, out=out)
    out.add_(words).mul_(_weights(words.device)[within : within + words.shape[-1]])


_spare: list[torch.Tensor] = []


def _take(device: torch.device, count: int) -> torch.Tensor:
    """Return room for products that no other thread and no finalizer uses meanwhile."""
    if device.type != "cpu":
        return torch.empty(count, dtype=torch.int64, device=device)
    try:
        return _spare.pop()
    except IndexError:
        return torch.empty(CHUNK, dtype=torch.int64, device=device)


def _give(scratch: torch.Tensor) -> None:
    # On another device its allocator keeps it, which knows of streams.
    if scratch.device.type == "cpu":
        _spare.append(scratch)


def _weights(device: torch.device) -> torch.Tensor:
    """Return the weights of the words in a chunk."""
    return _weights_on(device, CHUNK, stream(device))


@cache
def _weights_on(device: torch.device, count: int, stream: Any) -> torch.Tensor:
    # One for each stream: another one could read them before they are there.
    return _odd(0, count, device)


def _factors(count: int, device: torch.device) -> torch.Tensor:
    """Return the factor of each chunk; the first is 1, so that small tensors need none."""
    return _factors_on(device, 1 << max(10, (count - 1).bit_length()), stream(device))


@cache
def _factors_on(device: torch.device, count: int, stream: Any) -> torch.Tensor:
    factors = _odd(1 << 40, count, device)
    factors[:1] = 1
    return factors


# They hold memory of devices.
os.register_at_fork(after_in_child=lambda: keeping.for_ever((_weights_on, _factors_on)))


def stream(device: torch.device) -> Any:
    """Return the stream where work for a device is queued now; None where there is but one."""
    return torch.cuda.current_stream(device) if device.type == "cuda" else None


def _odd(start: int, count: int, device: torch.device) -> torch.Tensor:
    """Return odd numbers: SplitMix64 of start, start + 1, ... (https://prng.di.unimi.it/)."""
    z = torch.arange(1, count + 1, dtype=torch.int64, device=device) + start
    z = z * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    return (z ^ _shifted(z, 31)) | 1


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _shifted(value: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without the sign, which torch's >> keeps."""
    return (value >> bits) & (2 ** (64 - bits) - 1)
