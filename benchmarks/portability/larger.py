# SPDX-License-Identifier: Apache-2.0
"""Larger inputs for PyTorch's operators than those of its own tests, which have a few elements.

Kernels take other paths for them: vectors of the widest registers, several threads, blocks that fit
into a cache. Each case is a function without arguments that computes anew; inputs are made by
`fill`, from whole numbers, with the same bits on every machine. Imports torch.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Case = tuple[str, Callable[[], Any]]
"""The name of a case, and what returns its outputs and gradients."""

KINDS = (torch.float32, torch.float64)
HALVES = (torch.bfloat16, torch.float16)


def fill(
    *shape: int,
    kind: torch.dtype = torch.float32,
    low: float = -1,
    high: float = 1,
    number: int = 1,
) -> Tensor:
    """A tensor of numbers from `low` to `high`, the same bits on every machine.

    Args:
        shape: of the tensor.
        kind: its type.
        low: bound of the numbers.
        high: the other bound.
        number: of the series.
    """
    count = math.prod(shape)
    places = torch.arange(count, dtype=torch.int64)
    mixed = places * 2654435761 + 12345 * number + places * places * 40503 % 65521
    values = (mixed % 1000003).to(torch.float64) / 2**20 * (high - low) + low
    return values.to(kind).reshape(shape)


def weights(like: Tensor) -> Tensor:
    """What the outputs are multiplied with for a gradient: multiples of 1/512, exact in any type
    with eight bits."""
    places = torch.arange(like.numel(), dtype=torch.int64)
    values = ((places * 2654435761 % 253) - 126).to(torch.float64) / 512
    return values.to(like.dtype).reshape(like.shape)


def both_ways(function: Callable[..., Any], *inputs: Any, **options: Any) -> dict[str, Any]:
    """What a function returns, and the gradients of its floating-point inputs.

    Args:
        function: with which to compute.
        inputs: of the function; tensors that require a gradient get one.
        options: of the function.

    Returns:
        "forward" and, where there are gradients, "backward": these, or the
        exception in their place.
    """
    outputs = function(*inputs, **options)
    found = {"forward": outputs}
    wanted = [each for each in tensors((inputs, options)) if each.requires_grad]
    roots = [each for each in tensors(outputs) if each.requires_grad and is_dense_float(each)]
    if wanted and roots:
        try:
            found["backward"] = torch.autograd.grad(
                roots, wanted, [weights(root) for root in roots], allow_unused=True
            )
        except Exception as error:  # not differentiable here: the outputs count all the same
            found["backward"] = error
    return found


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors(each)


def is_dense_float(tensor: Tensor) -> bool:
    is_float = tensor.is_floating_point() or tensor.is_complex()
    return bool(is_float and tensor.layout == torch.strided)


def cases() -> Iterator[Case]:
    """Every case."""
    for kind in KINDS:
        groups = (
            *(elementwise, products, convolutions, normalizations, losses, activations, sequences),
            *(pooling, indexing, transforms, algebra, making, optimizers),
        )
        for group in groups:
            for name, case in group(kind):
                yield f"larger {name} {str(kind)[6:]}", case
    for kind in HALVES:
        for name, case in halves(kind):
            yield f"larger {name} {str(kind)[6:]}", case
    for real in KINDS:
        for name, case in complexes(real):
            yield f"larger {name} {'complex64' if real is torch.float32 else 'complex128'}", case


def _case(name: str, function: Callable[..., Any], *inputs: Any, **options: Any) -> Case:
    """A case whose inputs, given as `Shaped`, are made when the case runs."""

    def run() -> dict[str, Any]:
        made = [each.make() if isinstance(each, Shaped) else each for each in inputs]
        return both_ways(function, *made, **options)

    return name, run


class Shaped:
    """An input that is made when a case runs: `fill`'s arguments, and whether it has a gradient."""

    def __init__(
        self,
        *shape: int,
        kind: torch.dtype,
        gradient: bool = True,
        of: Callable[[Tensor], Tensor] = lambda tensor: tensor,
        **options: Any,
    ) -> None:
        self._make = partial(fill, *shape, kind=kind, **options)
        self._gradient, self._of = gradient, of

    def make(self) -> Tensor:
        return self._of(self._make()).detach().requires_grad_(self._gradient)


def _numbered(kind: torch.dtype, *shapes: tuple[int, ...], **options: Any) -> list[Shaped]:
    """An input for each shape, each of another series."""
    return [
        Shaped(*shape, kind=kind, number=number, **options)
        for number, shape in enumerate(shapes, 1)
    ]


# --- groups -------------------------------------------------------------------------------------

SLOW = ("special", "zeta", "polynomial", "igamma", "polygamma", "digamma", "lgamma")
"""What takes long for each element."""

ONLY_POSITIVE = ("pow", "zeta", "polygamma", "xlog", "igamma", "logaddexp")


def elementwise(kind: torch.dtype) -> Iterator[Case]:
    """Each unary and binary function, and each reduction, that PyTorch's tests know."""
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo.core import (
        BinaryUfuncInfo,
        ReductionOpInfo,
        UnaryUfuncInfo,
    )

    for op in op_db:
        if kind not in op.dtypes or op.name.startswith("jiterator"):  # CUDA only
            continue
        name = op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")
        count = 5003 if any(part in name for part in SLOW) else 70001
        makes = partial(Shaped, kind=kind, gradient=op.supports_autograd)
        if isinstance(op, UnaryUfuncInfo):
            low, high = (-8.0 if op.domain[0] is None else max(op.domain[0], -8.0)), op.domain[1]
            makes = partial(makes, low=low, high=8.0 if high is None else min(high, 8.0))
            first = next(iter(op.sample_inputs("cpu", kind)), None)
            rest = tuple(first.args) if first else ()
            run = partial(op.op, **(first.kwargs if first else {}))
            yield _case(f"{name}/flat", run, makes(count), *rest)
            strided = makes(10006, of=lambda tensor: tensor[::2])
            yield _case(f"{name}/strided", run, strided, *rest)
            yield _case(f"{name}/transposed", run, makes(61, 97, of=torch.t), *rest)
        elif isinstance(op, BinaryUfuncInfo):
            low = 0.125 if any(part in name for part in ONLY_POSITIVE) else -4.0
            second = partial(makes, low=max(low, 0.125), high=4.0, number=7)
            makes = partial(makes, low=low, high=4.0)
            yield _case(f"{name}/flat", op.op, makes(count), second(count))
            yield _case(f"{name}/broadcast", op.op, makes(61, 97), second(97))
        elif isinstance(op, ReductionOpInfo):
            yield _case(f"{name}/all", op.op, makes(257, 1031, low=0.5, high=1.5))
            for axis in (0, 1):
                wide = makes(257, 1031, low=0.5, high=1.5)
                yield _case(f"{name}/dim{axis}", op.op, wide, dim=axis)
            yield _case(f"{name}/long", op.op, makes(300007, low=0.999, high=1.001))


def products(kind: torch.dtype) -> Iterator[Case]:
    """Products of matrices and vectors."""
    of = partial(_numbered, kind)
    for size in (17, 64, 129, 257, 512):
        yield _case(f"mm/{size}", torch.mm, *of((size, size), (size, size)))
    yield _case("mm/wide", torch.mm, *of((300, 1000), (1000, 70)))
    yield _case("mm/deep", torch.mm, *of((8, 4096), (4096, 8)))
    yield _case("mv", torch.mv, *of((700, 900), (900,)))
    yield _case("dot", torch.dot, *of((65537,), (65537,)))
    yield _case("outer", torch.outer, *of((500,), (600,)))
    yield _case("bmm", torch.bmm, *of((24, 50, 64), (24, 64, 50)))
    yield _case("baddbmm", torch.baddbmm, *of((24, 50, 50), (24, 50, 64), (24, 64, 50)))
    yield _case("addmv", torch.addmv, *of((700,), (700, 900), (900,)))
    yield _case("matmul/batched", torch.matmul, *of((4, 8, 32, 16), (4, 8, 16, 32)))
    yield _case("einsum", torch.einsum, "bik,bkj->bij", *of((8, 40, 50), (8, 50, 30)))
    yield _case("linear", functional.linear, *of((32, 784), (128, 784), (128,)))
    yield _case("linear/3d", functional.linear, *of((16, 32, 64), (256, 64), (256,)))
    yield _case("bilinear", functional.bilinear, *of((64, 20), (64, 30), (40, 20, 30)))
    for power in (1.0, 2.0, 3.0):
        yield _case(f"cdist/{power:.0f}", torch.cdist, *of((60, 30), (70, 30)), power)
        yield _case(f"pdist/{power:.0f}", functional.pdist, *of((60, 30)), power)
    for is_causal in (False, True):
        qkv = of(*[(4, 4, 65, 32)] * 3)
        name = f"attention/{'causal' if is_causal else 'all'}"
        yield _case(name, functional.scaled_dot_product_attention, *qkv, is_causal=is_causal)
    qkv = of(*[(1, 2, 600, 64)] * 3)
    yield _case("attention/long", functional.scaled_dot_product_attention, *qkv)
    sparse = Shaped(100, 120, kind=kind, gradient=False, of=Tensor.to_sparse)
    yield _case("sparse.mm", torch.sparse.mm, sparse, *of((120, 30)))


IMAGES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("3x3", (8, 3, 32, 32), (16, 3, 3, 3), {"padding": 1}),
    ("3x3 wide", (8, 32, 16, 16), (64, 32, 3, 3), {"padding": 1}),
    ("7x7", (2, 3, 64, 64), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    ("1x1", (8, 64, 14, 14), (128, 64, 1, 1), {}),
    ("depthwise", (4, 32, 20, 20), (32, 1, 3, 3), {"groups": 32, "padding": 1}),
    ("grouped", (4, 32, 20, 20), (32, 8, 3, 3), {"groups": 4}),
    ("dilated", (2, 16, 20, 20), (16, 16, 3, 3), {"dilation": 2}),
    ("one image", (1, 16, 20, 20), (16, 16, 3, 3), {}),
    ("odd", (3, 5, 17, 19), (7, 5, 5, 3), {"stride": (2, 1)}),
    ("deep", (4, 256, 8, 8), (256, 256, 3, 3), {"padding": 1}),
    ("deeper", (2, 512, 7, 7), (512, 512, 3, 3), {"padding": 1}),
)
"""Convolutions: name, shapes of input and weight, options."""


def convolutions(kind: torch.dtype) -> Iterator[Case]:
    of = partial(_numbered, kind)
    for name, shape, weight, options in IMAGES:
        conv = partial(functional.conv2d, **options)
        yield _case(f"conv2d/{name}", conv, *of(shape, weight, weight[:1]))
        last = Shaped(
            *shape, kind=kind, of=lambda x: x.contiguous(memory_format=torch.channels_last)
        )
        yield _case(f"conv2d/{name} channels last", conv, last, *of(shape, weight, weight[:1])[1:])
    yield _case("conv1d", functional.conv1d, *of((8, 16, 200), (32, 16, 5), (32,)))
    yield _case("conv3d", functional.conv3d, *of((2, 8, 10, 12, 12), (16, 8, 3, 3, 3), (16,)))
    for dimensions, shape, weight in (
        (1, (8, 16, 50), (16, 8, 4)),
        (2, (4, 32, 8, 8), (32, 16, 4, 4)),
        (3, (2, 8, 5, 5, 5), (8, 4, 3, 3, 3)),
    ):
        function = getattr(functional, f"conv_transpose{dimensions}d")
        inputs = of(shape, weight, weight[1:2])
        yield _case(f"conv_transpose{dimensions}d", function, *inputs, stride=2)


def normalizations(kind: torch.dtype) -> Iterator[Case]:
    of = partial(_numbered, kind)

    def batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.batch_norm(x, None, None, weight, bias, True)

    for width in (300, 768):
        wide = of((33, width), (width,), (width,))
        name = f"layer_norm/{width}"
        yield _case(name, functional.layer_norm, wide[0], (width,), *wide[1:])
    yield _case("rms_norm", functional.rms_norm, *of((64, 300)), (300,))
    images = of((8, 32, 12, 12), (32,), (32,))
    yield _case("group_norm", functional.group_norm, images[0], 8, *images[1:])
    yield _case("instance_norm", functional.instance_norm, images[0])
    yield _case("batch_norm", batch_norm, *images)
    yield _case("batch_norm/vectors", batch_norm, *of((256, 100), (100,), (100,)))
    yield _case("local_response_norm", functional.local_response_norm, images[0], 5)
    yield _case("normalize", functional.normalize, *of((300, 401)))
    for axis in (0, 1):
        wide = [Shaped(300, 401, kind=kind, low=-9, high=9)]
        for name in ("softmax", "log_softmax", "logsumexp", "cumsum", "logcumsumexp"):
            yield _case(f"{name}/dim{axis}", getattr(torch, name), *wide, axis)
        near = Shaped(300, 401, kind=kind, low=0.875, high=1.125)
        yield _case(f"cumprod/dim{axis}", torch.cumprod, near, axis)


def losses(kind: torch.dtype) -> Iterator[Case]:
    one, other = _numbered(kind, (300, 401), (300, 401))
    scores = Shaped(300, 401, kind=kind, low=-9, high=9)
    share = Shaped(300, 401, kind=kind, low=0.0625, high=0.9375, gradient=False)
    classes = torch.arange(300) * 7919 % 401
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cosine_similarity"):
        yield _case(name, getattr(functional, name), one, other)
    yield _case("cross_entropy", functional.cross_entropy, scores, classes)
    smooth = partial(functional.cross_entropy, label_smoothing=0.125)
    yield _case("cross_entropy/smooth", smooth, scores, classes)
    yield _case("bce_logits", functional.binary_cross_entropy_with_logits, one, share)
    inside = Shaped(300, 401, kind=kind, low=0.0625, high=0.9375, number=3)
    yield _case("bce", functional.binary_cross_entropy, inside, share)
    yield _case("kl_div", functional.kl_div, one, share)
    yield _case("gaussian_nll", functional.gaussian_nll_loss, one, other, share)
    yield _case("poisson_nll", functional.poisson_nll_loss, one, share)
    triplet = _numbered(kind, *[(300, 41)] * 3)
    yield _case("triplet", functional.triplet_margin_loss, *triplet)

    def ctc(x: Tensor) -> Tensor:
        labels = torch.arange(1, 41).reshape(4, 10) % 19 + 1
        lengths = torch.full((4,), 50), torch.full((4,), 10)
        return functional.ctc_loss(functional.log_softmax(x, 2), labels, *lengths)

    yield _case("ctc", ctc, *_numbered(kind, (50, 4, 20)))


ACTIVATIONS = (
    *("gelu", "silu", "mish", "softplus", "elu", "selu", "celu", "hardswish", "hardsigmoid"),
    *("leaky_relu", "logsigmoid", "tanhshrink", "softsign", "sigmoid", "tanh", "relu6", "glu"),
)


def activations(kind: torch.dtype) -> Iterator[Case]:
    wide = Shaped(200, 402, kind=kind, low=-9, high=9)
    for name in ACTIVATIONS:
        yield _case(name, getattr(functional, name), wide)
    yield _case("gelu/tanh", partial(functional.gelu, approximate="tanh"), wide)


def sequences(kind: torch.dtype) -> Iterator[Case]:
    """Recurrent layers, with the gradients of all their parameters."""

    def recurrent(layers: type[nn.RNNBase], is_bidirectional: bool, x: Tensor) -> list[Tensor]:
        model = layers(32, 48, 2, bidirectional=is_bidirectional).to(kind)
        with torch.no_grad():
            for number, parameter in enumerate(model.parameters()):
                values = fill(*parameter.shape, kind=kind, low=-0.25, high=0.25, number=number)
                parameter.copy_(values)
        output = model(x)[0]
        gradients = torch.autograd.grad(
            output, list(model.parameters()), weights(output), retain_graph=True
        )
        return [output, *(each.detach() for each in gradients)]

    for layers in (nn.RNN, nn.GRU, nn.LSTM):
        for is_bidirectional in (False, True):
            name = layers.__name__.lower() + ("/both ways" if is_bidirectional else "")
            run = partial(recurrent, layers, is_bidirectional)
            yield _case(name, run, *_numbered(kind, (20, 6, 32)))


def pooling(kind: torch.dtype) -> Iterator[Case]:
    (image,) = _numbered(kind, (4, 8, 33, 33))
    for name, options in (
        ("avg_pool2d", {"kernel_size": 3, "stride": 2}),
        ("max_pool2d", {"kernel_size": 3, "stride": 2}),
        ("adaptive_avg_pool2d", {"output_size": 7}),
        ("lp_pool2d", {"norm_type": 2.0, "kernel_size": 3}),
        ("unfold", {"kernel_size": 3}),
    ):
        yield _case(name, partial(getattr(functional, name), **options), image)
    for mode in ("bilinear", "bicubic", "nearest"):
        run = partial(functional.interpolate, scale_factor=1.75, mode=mode)
        yield _case(f"interpolate/{mode}", run, image)
    smaller = partial(functional.interpolate, size=(13, 17), mode="bilinear", antialias=True)
    yield _case("interpolate/antialias", smaller, image)
    grid = Shaped(4, 15, 15, 2, kind=kind, number=2)
    yield _case("grid_sample", partial(functional.grid_sample, align_corners=False), image, grid)
    yield _case("pixel_shuffle", functional.pixel_shuffle, *_numbered(kind, (4, 16, 10, 10)), 2)


def indexing(kind: torch.dtype) -> Iterator[Case]:
    rows = torch.arange(5000) * 7919 % 300
    wide = rows[:, None].expand(-1, 20)
    target, source = _numbered(kind, (300, 20), (5000, 20))
    near = Shaped(5000, 20, kind=kind, low=0.875, high=1.125)
    yield _case("index_add", lambda x, y: x.index_add(0, rows, y), target, source)
    yield _case("scatter_add", lambda x, y: x.scatter_add(0, wide, y), target, source)
    yield _case("index_put", lambda x, y: x.index_put((rows,), y, True), target, source)
    for how in ("mean", "prod", "amax"):
        run = partial(lambda how, x, y: x.scatter_reduce(0, wide, y, how), how)
        yield _case(f"scatter_reduce/{how}", run, target, near)
    yield _case("index_select", lambda x: x.index_select(0, rows), target)
    yield _case("gather", lambda x: x.gather(0, wide), target)
    words = (torch.arange(4000) * 7919 % 1000).reshape(100, 40)
    yield _case("embedding", functional.embedding, words, Shaped(1000, 64, kind=kind))
    for mode in ("sum", "mean", "max"):
        bag = partial(functional.embedding_bag, mode=mode)
        yield _case(f"embedding_bag/{mode}", bag, words, Shaped(1000, 64, kind=kind))
    flat = Shaped(5001, kind=kind)
    for name in ("median", "sort", "trapezoid", "nanmedian"):
        yield _case(name, getattr(torch, name), flat)
    yield _case("topk", torch.topk, Shaped(300, 401, kind=kind), 10)
    yield _case("quantile", torch.quantile, flat, 0.25)
    yield _case("cov", torch.cov, Shaped(30, 200, kind=kind))
    yield _case("corrcoef", torch.corrcoef, Shaped(30, 200, kind=kind))
    counted = Shaped(5000, kind=kind, gradient=False)
    yield _case("bincount", lambda x: torch.bincount(rows, x), counted)
    yield _case("histc", partial(torch.histc, bins=50), counted)


def transforms(kind: torch.dtype) -> Iterator[Case]:
    def stft(x: Tensor) -> Tensor:
        window = torch.hann_window(128, dtype=kind)
        return torch.view_as_real(torch.stft(x, 128, window=window, return_complex=True))

    for size in (64, 100, 97, 1000, 1024, 1009):
        rows = Shaped(6, size, kind=kind)
        yield _case(f"fft/{size}", lambda x: torch.view_as_real(torch.fft.fft(x)), rows)
        yield _case(f"rfft/{size}", lambda x: torch.view_as_real(torch.fft.rfft(x)), rows)
        yield _case(
            f"irfft/{size}", lambda x: torch.fft.irfft(torch.fft.rfft(x), n=x.shape[-1]), rows
        )
    planes = Shaped(3, 60, 45, kind=kind)
    yield _case("fft2", lambda x: torch.view_as_real(torch.fft.fft2(x)), planes)
    yield _case("stft", stft, Shaped(2, 4000, kind=kind))


def algebra(kind: torch.dtype) -> Iterator[Case]:
    """Decompositions and solvers, at sizes below and above their blocks."""

    def definite(half: Tensor) -> Tensor:
        size = len(half)
        return half + half.t() + 4 * math.isqrt(size) * torch.eye(size, dtype=kind)

    def regular(matrix: Tensor) -> Tensor:
        return matrix + 2 * math.isqrt(len(matrix)) * torch.eye(len(matrix), dtype=kind)

    for size in (3, 8, 30, 100, 200):
        square = Shaped(size, size, kind=kind, of=regular)
        spd = Shaped(size, size, kind=kind, of=definite)
        right = Shaped(size, 5, kind=kind, number=2)
        for name in ("inv", "slogdet", "qr", "pinv", "lu", "svdvals", "matrix_exp"):
            of = square if name != "matrix_exp" else Shaped(size, size, kind=kind, high=-0.75)
            yield _case(f"linalg.{name}/{size}", getattr(torch.linalg, name), of)
        for name in ("cholesky", "eigh", "eigvalsh"):
            yield _case(f"linalg.{name}/{size}", getattr(torch.linalg, name), spd)
        yield _case(f"linalg.solve/{size}", torch.linalg.solve, square, right)
        yield _case(f"linalg.ldl_factor/{size}", torch.linalg.ldl_factor, spd)
        yield _case(f"linalg.lstsq/{size}", lambda x, y: torch.linalg.lstsq(x, y)[0], square, right)
        yield _case(f"linalg.svd/{size}", lambda x: torch.linalg.svd(x.detach()), square)
        yield _case(f"linalg.eigvals/{size}", lambda x: torch.linalg.eigvals(x.detach()), square)
        yield _case(f"cholesky_solve/{size}", torch.cholesky_solve, right, square)
        yield _case(f"cholesky_inverse/{size}", torch.cholesky_inverse, square)


def making(kind: torch.dtype) -> Iterator[Case]:
    """What makes tensors: distributions, series, windows, initializations."""
    empty = partial(torch.empty, dtype=kind)
    init = nn.init
    for name, function in (
        ("rand", lambda: torch.rand(70001, dtype=kind)),
        ("randn", lambda: torch.randn(70001, dtype=kind)),
        ("randn/few", lambda: torch.randn(13, dtype=kind)),
        ("normal_", lambda: empty(70001).normal_(3, 0.25)),
        ("uniform_", lambda: empty(70001).uniform_(-0.25, 0.75)),
        ("exponential_", lambda: empty(70001).exponential_(1.25)),
        ("cauchy_", lambda: empty(70001).cauchy_()),
        ("log_normal_", lambda: empty(70001).log_normal_()),
        ("geometric_", lambda: empty(70001).geometric_(0.25)),
        ("bernoulli_", lambda: empty(70001).bernoulli_(0.25)),
        ("dropout", lambda: functional.dropout(torch.ones(70001, dtype=kind))),
        ("randperm", lambda: torch.randperm(70001)),
        ("poisson", lambda: torch.poisson(fill(5003, kind=kind, low=0.125, high=9))),
        ("gamma", lambda: torch._standard_gamma(fill(5003, kind=kind, low=0.125, high=9))),
        ("dirichlet", lambda: torch._sample_dirichlet(fill(503, 10, kind=kind, low=0.125))),
        ("multinomial", lambda: torch.multinomial(fill(50, 100, kind=kind, low=0.125), 20)),
        ("trunc_normal_", lambda: init.trunc_normal_(empty(300, 40))),
        ("xavier_normal_", lambda: init.xavier_normal_(empty(300, 40))),
        ("kaiming_uniform_", lambda: init.kaiming_uniform_(empty(300, 40))),
        ("orthogonal_", lambda: init.orthogonal_(empty(60, 40))),
        ("linspace", lambda: torch.linspace(0.1, 7.3, 70001, dtype=kind)),
        ("logspace", lambda: torch.logspace(-1, 2, 7001, dtype=kind)),
        ("arange", lambda: torch.arange(0.1, 700, 0.1, dtype=kind)),
        ("hann_window", lambda: torch.hann_window(4096, dtype=kind)),
        ("kaiser_window", lambda: torch.kaiser_window(4096, dtype=kind)),
    ):
        yield _case(f"make {name}", function)


OPTIMIZERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("sgd", "SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.01}),
    ("sgd/fused", "SGD", {"lr": 0.01, "momentum": 0.9, "fused": True}),
    ("adam", "Adam", {}),
    ("adam/foreach", "Adam", {"foreach": True}),
    ("adam/fused", "Adam", {"fused": True}),
    ("adam/amsgrad", "Adam", {"amsgrad": True}),
    ("adamw", "AdamW", {}),
    ("adamw/fused", "AdamW", {"fused": True}),
    ("rmsprop", "RMSprop", {"centered": True}),
    ("adagrad", "Adagrad", {}),
    ("adagrad/fused", "Adagrad", {"fused": True}),
    ("adadelta", "Adadelta", {}),
    ("adamax", "Adamax", {}),
    ("nadam", "NAdam", {}),
    ("radam", "RAdam", {}),
    ("rprop", "Rprop", {}),
    ("asgd", "ASGD", {}),
    ("adafactor", "Adafactor", {}),
)
"""Name, class in torch.optim, options."""


def optimizers(kind: torch.dtype) -> Iterator[Case]:
    def steps(made: Callable[..., torch.optim.Optimizer]) -> list[Tensor]:
        parameters = [fill(61, 97, kind=kind), fill(4099, kind=kind, number=2)]
        optimizer = made([each.requires_grad_() for each in parameters])
        for step in range(5):
            for number, each in enumerate(parameters):
                each.grad = fill(*each.shape, kind=kind, number=10 * step + number)
            optimizer.step()
        return [each.detach() for each in parameters]

    def clipped(x: Tensor) -> list[Tensor]:
        x.grad = fill(*x.shape, kind=kind, number=5)
        return [nn.utils.clip_grad_norm_([x], 1.0), x.grad]

    for name, of, options in OPTIMIZERS:
        yield _case(f"optim {name}", steps, partial(getattr(torch.optim, of), **options))
    yield _case("clip_grad_norm_", clipped, Shaped(300, 401, kind=kind))


def halves(kind: torch.dtype) -> Iterator[Case]:
    """What autocast computes in bfloat16 or float16."""
    of = partial(_numbered, kind)
    for size in (64, 300):
        yield _case(f"mm/{size}", torch.mm, *of((size, size), (size, size)))
    yield _case("linear", functional.linear, *of((32, 784), (128, 784), (128,)))
    yield _case("bmm", torch.bmm, *of((24, 50, 64), (24, 64, 50)))
    images = of((8, 16, 16, 16), (32, 16, 3, 3), (32,))
    yield _case("conv2d", functional.conv2d, *images)
    wide = of((64, 300), (300,), (300,))
    yield _case("layer_norm", functional.layer_norm, wide[0], (300,), *wide[1:])
    qkv = of(*[(4, 4, 65, 32)] * 3)
    yield _case("attention", functional.scaled_dot_product_attention, *qkv)
    rows = Shaped(300, 401, kind=kind, low=0.125, high=4)
    yield _case("softmax", torch.softmax, rows, 1)
    for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "sum", "mean", "cumsum"):
        function: Callable[..., Any] = getattr(torch, name)
        yield _case(name, partial(function, dim=1) if name == "cumsum" else function, rows)
    for name in ("gelu", "silu"):
        yield _case(name, getattr(functional, name), rows)
    other = Shaped(300, 401, kind=kind, low=0.25, number=3)
    yield _case("div", torch.div, rows, other)


COMPLEX = (
    *("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "abs", "angle", "reciprocal"),
    *("rsqrt", "atan", "asin", "acos", "sigmoid", "square", "sgn", "sum"),
)


def complexes(real: torch.dtype) -> Iterator[Case]:
    """Complex arithmetic; `real` is the type of each part."""

    class Both(Shaped):
        """A complex input."""

        def __init__(self, *shape: int, number: int = 1) -> None:
            super().__init__(*shape, kind=real, number=number)
            self._shape, self._number = shape, number

        def make(self) -> Tensor:
            imaginary = fill(*self._shape, kind=real, number=self._number + 50)
            return torch.complex(self._make() * 2, imaginary * 2).requires_grad_()

    one, other = Both(70001), Both(70001, number=2)
    for name in COMPLEX:
        yield _case(name, getattr(torch, name), one)
    for name in ("mul", "div"):
        yield _case(name, getattr(torch, name), one, other)
    few = [Both(5003, number=number) for number in (1, 2, 3)]
    yield _case("pow", torch.pow, *few[:2])
    yield _case("addcdiv", torch.addcdiv, *few)
    yield _case("mm", torch.mm, Both(100, 100), Both(100, 100, number=2))
    yield _case("inv", torch.linalg.inv, Both(30, 30))
    yield _case("prod", torch.prod, Both(50))
    yield _case("cumprod", torch.cumprod, Both(50, 3), 0)
    yield _case("fft", torch.fft.fft, Both(6, 1000))
