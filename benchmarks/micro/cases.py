"""Operators on the CPU, each as one piece of work in a small and a large size.

Those for which PyTorch documents another path under deterministic algorithms, on any device, and
those that most training steps are made of: the latter should not differ, and show the noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Work = Callable[[], Any]
"""One call; it returns the tensors that it has computed: outputs and gradients."""


@dataclass(frozen=True)
class Case:
    """An operator.

    Attributes:
        name: as a user would write it.
        make: from whether the size is the large one to the work. Inputs are made there, once.
        why: what PyTorch does otherwise under deterministic algorithms, and what is faster still.
    """

    name: str
    make: Callable[[bool], Work]
    why: str = ""


SERIAL_ADDITION = (
    "float32 from 32768 elements on is added by several threads with atomic additions under off, "
    "by one thread under warn (IndexKernel.cpp, index_put_kernel)"
)
INSTEAD_OF_INDEXING = "faster at either level: x.index_select(0, idx)"
SERIAL_WRITES = (
    "written by one thread under warn, in case an index occurs twice (IndexKernel.cpp, "
    "index_put_kernel)"
)


def differentiated(function: Callable[..., Any], *inputs: Any) -> Work:
    """The function and its backward, for those of its inputs that are floating point tensors."""
    leaves = [
        one.requires_grad_()
        for one in inputs
        if isinstance(one, torch.Tensor) and one.is_floating_point()
    ]
    out = function(*inputs)
    gradient = torch.ones_like(out) if out.dim() == 0 else torch.randn_like(out)

    def work() -> Any:
        out = function(*inputs)
        return out.detach(), *torch.autograd.grad(out, leaves, gradient, allow_unused=True)

    return work


def module(make: Callable[[], nn.Module], pick: Callable[[Any], Any], *inputs: Any) -> Work:
    """A module's forward and backward, for its input and its parameters."""
    made = make()
    parameters = list(made.parameters())
    first, *others = inputs
    first.requires_grad_()
    gradient = torch.randn_like(pick(made(first, *others)))

    def work() -> Any:
        out = pick(made(first, *others))
        return out.detach(), *torch.autograd.grad(out, [first, *parameters], gradient)

    return work


class Rows:
    """A table of rows and an index into it.

    Attributes:
        table: float32, (rows, width).
        index: int64, (picks,); each row that occurs does so about 13 times.
        unique: int64, (picks,); no row twice.
        values: float32, (picks, width): 1,048,576 elements if large, else 1,024.
    """

    def __init__(self, large: bool, dtype: torch.dtype = torch.float32) -> None:
        rows, width, picks = (20_000, 64, 16_384) if large else (80, 16, 64)
        self.table = torch.randn(rows, width, dtype=dtype)
        self.index = torch.randint(max(rows // 16, 5), (picks,))
        self.unique = torch.randperm(rows)[:picks]
        self.values = torch.randn(picks, width, dtype=dtype)
        self.mask = torch.rand(rows) < 0.5

    @property
    def spread(self) -> torch.Tensor:
        """The index for scatter and gather, (picks, width)."""
        return self.index.unsqueeze(1).expand_as(self.values).contiguous()


def on_rows(function: Callable[[Rows], Any], dtype: torch.dtype = torch.float32) -> Any:
    """Work that changes the table in place, which starts from zeros each time."""

    def make(large: bool) -> Work:
        rows = Rows(large, dtype)

        def work() -> Any:
            rows.table.zero_()
            function(rows)
            return (rows.table,)

        return work

    return make


def scattering(function: Callable[[Rows, torch.Tensor], Any]) -> Any:
    """The same for operators that take an index of the values' shape."""

    def make(large: bool) -> Work:
        rows = Rows(large)
        spread = rows.spread

        def work() -> Any:
            rows.table.zero_()
            function(rows, spread)
            return (rows.table,)

        return work

    return make


def picking(function: Callable[[torch.Tensor, torch.Tensor], Any], wide: bool = False) -> Any:
    """Work that reads rows of the table, and its backward."""

    def make(large: bool) -> Work:
        rows = Rows(large)
        return differentiated(function, rows.table, rows.spread if wide else rows.index)

    return make


def of(function: Callable[..., Any], small: tuple[int, ...], large: tuple[int, ...]) -> Any:
    """A function of one random tensor, and its backward.

    Args:
        function: takes the tensor.
        small: the tensor's shape in the small size.
        large: in the large one.
    """
    return lambda is_large: differentiated(function, torch.randn(large if is_large else small))


def forward(function: Callable[..., Any], small: tuple[int, ...], large: tuple[int, ...]) -> Any:
    """The same without the backward."""

    def make(is_large: bool) -> Work:
        given = torch.randn(large if is_large else small)

        def work() -> Any:
            out = function(given)
            return (out,) if isinstance(out, torch.Tensor) else tuple(out)

        return work

    return make


def images(function: Callable[..., Any]) -> Any:
    """A function of images, and its backward."""
    return of(function, (1, 4, 8, 8), (8, 32, 64, 64))


def volumes(function: Callable[..., Any]) -> Any:
    """A function of volumes, and its backward."""
    return of(function, (1, 2, 4, 8, 8), (2, 16, 16, 32, 32))


def _bags(mode: str) -> Any:
    def make(large: bool) -> Work:
        rows = Rows(large)
        offsets = torch.arange(0, rows.index.numel(), 8)
        return differentiated(
            lambda table: functional.embedding_bag(rows.index, table, offsets, mode=mode),
            rows.table,
        )

    return make


def _scatter_reduce(kind: str) -> Any:
    return scattering(lambda rows, spread: rows.table.scatter_reduce_(0, spread, rows.values, kind))


def _pad(mode: str) -> Any:
    return images(lambda image: functional.pad(image, (1, 1, 1, 1), mode=mode))


def _ctc(large: bool) -> Work:
    steps, batch, classes, length = (200, 32, 64, 30) if large else (20, 2, 8, 4)
    targets = torch.randint(1, classes, (batch, length))
    spans = torch.full((batch,), steps), torch.full((batch,), length)
    return differentiated(
        lambda logits: functional.ctc_loss(logits.log_softmax(2), targets, *spans),
        torch.randn(steps, batch, classes),
    )


def _cross_entropy_of_images(large: bool) -> Work:
    batch, classes, side = (8, 16, 64) if large else (1, 4, 8)
    target = torch.randint(classes, (batch, side, side))
    return differentiated(
        lambda logits: functional.cross_entropy(logits, target),
        torch.randn(batch, classes, side, side),
    )


def _grid_sample(large: bool) -> Work:
    batch, channels, side = (8, 32, 64) if large else (1, 4, 8)
    return differentiated(
        lambda image, grid: functional.grid_sample(image, grid, align_corners=False),
        torch.randn(batch, channels, side, side),
        torch.rand(batch, side, side, 2) * 2 - 1,
    )


def _max_unpool(large: bool) -> Work:
    image = torch.randn((8, 32, 64, 64) if large else (1, 4, 8, 8))
    pooled, indices = functional.max_pool2d(image, 2, return_indices=True)
    return differentiated(lambda given: functional.max_unpool2d(given, indices, 2), pooled)


def _bincount(large: bool) -> Work:
    index = torch.randint(1000, (1_000_000 if large else 1000,))
    weights = torch.randn(index.numel())
    return lambda: (torch.bincount(index, weights),)


def _attention(large: bool) -> Work:
    shape = (4, 8, 128, 64) if large else (1, 2, 16, 16)
    return differentiated(
        functional.scaled_dot_product_attention, *(torch.randn(shape) for _ in range(3))
    )


def _lstm(large: bool) -> Work:
    steps, batch, width = (32, 16, 128) if large else (4, 2, 16)
    return module(
        lambda: nn.LSTM(width, width), lambda out: out[0], torch.randn(steps, batch, width)
    )


def _layer(make: Callable[[int], nn.Module], *sizes: tuple[int, ...]) -> Any:
    small, large = sizes
    return lambda is_large: module(
        lambda: make((large if is_large else small)[1]),
        lambda out: out,
        torch.randn(large if is_large else small),
    )


def _matmul(large: bool) -> Work:
    side = 512 if large else 16
    return differentiated(torch.matmul, torch.randn(side, side), torch.randn(side, side))


def _repeat_interleave(large: bool) -> Work:
    rows = Rows(large)
    repeats = torch.randint(1, 4, (rows.table.shape[0],))
    return differentiated(lambda table: table.repeat_interleave(repeats, 0), rows.table)


def _sparse(large: bool) -> Work:
    side = 2000 if large else 40
    dense = torch.rand(side, side)
    sparse = torch.where(dense < 0.01, dense, 0).to_sparse()
    other = torch.randn(side, 32)
    return lambda: (torch.sparse.mm(sparse, other),)


def _resize(large: bool) -> Work:
    shape = (1024, 1024) if large else (32, 32)

    def work() -> Any:
        torch.empty(0).resize_(shape)
        return ()  # memory that nobody has written

    return work


def _masked_pick(large: bool) -> Work:
    rows = Rows(large)
    return differentiated(lambda table: table[rows.mask], rows.table)


def _set_rows(rows: Rows, index: torch.Tensor) -> None:
    rows.table[index] = rows.values


def _set_masked(rows: Rows) -> None:
    rows.table[rows.mask] = 1.0


def _where(large: bool) -> Work:
    rows = Rows(large)
    mask = rows.mask.unsqueeze(1)
    return lambda: (torch.where(mask, rows.table + 1, rows.table),)


def _set_masked_rows(rows: Rows) -> None:
    rows.table[rows.mask] = rows.table[rows.mask] + 1


def _put(rows: Rows, spread: torch.Tensor, accumulate: bool) -> None:
    rows.table.put_(spread, rows.values, accumulate=accumulate)


CASES = (
    Case(
        "x[idx] and backward",
        picking(lambda x, i: x[i]),
        f"{SERIAL_ADDITION}; {INSTEAD_OF_INDEXING}",
    ),
    Case("x.index_select(0, idx) and backward", picking(lambda x, i: x.index_select(0, i))),
    Case("embedding and backward", picking(lambda x, i: functional.embedding(i, x))),
    Case("gather and backward", picking(lambda x, i: x.gather(0, i), wide=True)),
    Case("take and backward", picking(lambda x, i: x.take(i), wide=True), SERIAL_ADDITION),
    Case("x[mask] and backward", _masked_pick, SERIAL_ADDITION),
    *(Case(f"embedding_bag {mode} and backward", _bags(mode)) for mode in ("sum", "mean", "max")),
    Case("repeat_interleave and backward", _repeat_interleave),
    Case(
        "index_put_ accumulate",
        on_rows(lambda r: r.table.index_put_((r.index,), r.values, accumulate=True)),
        f"{SERIAL_ADDITION}; faster at either level: index_add_",
    ),
    Case(
        "index_put_ accumulate, float64",
        on_rows(lambda r: r.table.index_put_((r.index,), r.values, accumulate=True), torch.float64),
    ),
    Case("index_add_", on_rows(lambda r: r.table.index_add_(0, r.index, r.values))),
    Case("scatter_add_", scattering(lambda r, i: r.table.scatter_add_(0, i, r.values))),
    *(
        Case(f"scatter_reduce_ {kind}", _scatter_reduce(kind))
        for kind in ("sum", "mean", "prod", "amax")
    ),
    Case("scatter_", scattering(lambda r, i: r.table.scatter_(0, i, r.values))),
    Case(
        "x[idx] = v, indices twice",
        on_rows(lambda r: _set_rows(r, r.index)),
        f"{SERIAL_WRITES}; instead: make the indices unique",
    ),
    Case(
        "x[idx] = v, indices unique",
        on_rows(lambda r: _set_rows(r, r.unique)),
        f"{SERIAL_WRITES}; a little faster: index_copy_",
    ),
    Case("x[mask] = 1", on_rows(_set_masked)),
    Case("x[mask] = x[mask] + 1", on_rows(_set_masked_rows), SERIAL_WRITES),
    Case("torch.where(mask, x + 1, x)", _where),
    Case(
        "index_copy_, indices unique",
        on_rows(lambda r: r.table.index_copy_(0, r.unique, r.values)),
        "written by one thread under warn (IndexKernel.cpp, index_copy_kernel)",
    ),
    Case("index_fill_", on_rows(lambda r: r.table.index_fill_(0, r.index, 1.0))),
    Case(
        "put_ accumulate",
        scattering(lambda r, i: _put(r, i, True)),
        SERIAL_ADDITION.replace("index_put", "put"),
    ),
    Case("put_", scattering(lambda r, i: _put(r, i, False)), "warns at each call"),
    Case("bincount with weights", _bincount),
    Case("histc", forward(lambda x: torch.histc(x, 100), (1000,), (1_000_000,))),
    Case("cumsum and backward", of(lambda x: x.cumsum(0), (32, 32), (1024, 1024))),
    Case("median", forward(lambda x: x.median(1), (32, 32), (512, 1024))),
    Case("kthvalue", forward(lambda x: x.kthvalue(3, 1), (32, 32), (512, 1024))),
    Case(
        "interpolate bilinear and backward",
        images(
            lambda x: functional.interpolate(
                x, scale_factor=2, mode="bilinear", align_corners=False
            )
        ),
    ),
    Case(
        "interpolate trilinear and backward",
        volumes(
            lambda x: functional.interpolate(
                x, scale_factor=2, mode="trilinear", align_corners=False
            )
        ),
    ),
    *(Case(f"pad {mode} and backward", _pad(mode)) for mode in ("reflect", "replicate")),
    Case("max_pool2d and backward", images(lambda x: functional.max_pool2d(x, 2))),
    Case("max_unpool2d and backward", _max_unpool, "warns at each call"),
    Case("avg_pool3d and backward", volumes(lambda x: functional.avg_pool3d(x, 2))),
    Case(
        "adaptive_avg_pool2d and backward", images(lambda x: functional.adaptive_avg_pool2d(x, 4))
    ),
    Case("grid_sample and backward", _grid_sample),
    Case("ctc_loss and backward", _ctc),
    Case("cross_entropy of images and backward", _cross_entropy_of_images),
    Case("sparse.mm", _sparse),
    Case("matmul and backward", _matmul),
    Case(
        "conv2d and backward",
        _layer(lambda width: nn.Conv2d(width, width, 3, padding=1), (1, 4, 8, 8), (4, 32, 32, 32)),
    ),
    Case(
        "conv_transpose2d and backward",
        _layer(lambda width: nn.ConvTranspose2d(width, width, 3), (1, 4, 8, 8), (4, 32, 32, 32)),
    ),
    Case("LSTM and backward", _lstm),
    Case("scaled_dot_product_attention and backward", _attention),
    Case("batch_norm and backward", _layer(nn.BatchNorm2d, (1, 4, 8, 8), (8, 32, 64, 64))),
    Case("layer_norm and backward", _layer(nn.LayerNorm, (16, 16), (1024, 1024))),
    Case("softmax and backward", of(lambda x: x.softmax(1), (32, 32), (1024, 1024))),
    Case("resize_", _resize),
)
