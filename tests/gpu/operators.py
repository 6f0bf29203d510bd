"""The operators that PyTorch documents as nondeterministic on CUDA, and how each is launched.

The states are those of 2.6.0; `differences.py` has what newer releases do otherwise. On the CPU the
same programs run with small inputs. A new operator is one decorated function here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .states import DETERMINISTIC, SILENT, Kind, State, alerts


class _Torch:
    """torch, imported when it is used: pytest reads the names in here without importing it."""

    def __getattr__(self, name: str) -> Any:
        import torch

        return getattr(torch, name)


torch: Any = _Torch()
Launch = Callable[[], Any]


@dataclass(frozen=True)
class Operator:
    """One way to call an operator.

    Attributes:
        name: in tests and programs.
        prepare: makes the inputs and returns a function that launches it once.
        state: what it does in 2.6.0.
        documented: its name in the docstring of torch.use_deterministic_algorithms, and a text
            that its entry there has; None where it is not listed.
        varies: known to give other bits in some launches under `off`: its kernel adds or writes in
            an order that the hardware chooses.
        device: where the documentation says it is so.
        needs: what not every GPU has; where it fails under `off` it is skipped with the reason.
    """

    name: str
    prepare: "Callable[[Inputs], Launch]"
    state: State
    documented: tuple[str, str] | None
    varies: bool
    device: str
    needs: str | None


OPERATORS: dict[str, Operator] = {}


def operator(
    documented: str | None,
    entry: str = "",
    *,
    state: State = DETERMINISTIC,
    varies: bool = False,
    device: str = "cuda",
    needs: str | None = None,
) -> "Callable[[Callable[[Inputs], Launch]], Callable[[Inputs], Launch]]":
    """Enter a function into the catalogue under its name; see `Operator`."""

    def enter(prepare: "Callable[[Inputs], Launch]") -> "Callable[[Inputs], Launch]":
        name = prepare.__name__
        told = (documented, entry) if documented else None
        OPERATORS[name] = Operator(name, prepare, state, told, varies, device, needs)
        return prepare

    return enter


class Inputs:
    """Makes inputs, the same in every process, from a generator of its own.

    Args:
        device: where they go.
        large: enough of them that thousands of threads meet in one place.
    """

    def __init__(self, device: str, large: bool) -> None:
        self.device, self.large = device, large
        self.generator = torch.Generator().manual_seed(0)

    def size(self, large: int, small: int) -> int:
        return large if self.large else small

    def normal(self, *shape: int, leaf: bool = False, dtype: Any = None) -> Any:
        drawn = torch.randn(*shape, generator=self.generator)
        return drawn.to(self.device, dtype).requires_grad_(leaf)

    def spread(self, *shape: int) -> Any:
        """Numbers of very different sizes: in which order they are added shows in the sum."""
        sizes = 10 ** (8 * torch.rand(*shape, generator=self.generator) - 4)
        return (torch.randn(*shape, generator=self.generator) * sizes).to(self.device)

    def uniform(self, *shape: int) -> Any:
        return torch.rand(*shape, generator=self.generator).to(self.device)

    def below(self, high: int, *shape: int) -> Any:
        return torch.randint(high, shape, generator=self.generator).to(self.device)

    def backward(self, forward: Launch, *leaves: Any) -> Launch:
        """A launch of the backward pass, from the same gradients each time."""
        kept: list[Any] = []

        def launch() -> Any:
            out = forward()
            if not kept:
                kept.append(self.spread(*out.shape).to(out.dtype))
            return torch.autograd.grad(out, leaves, kept[0])

        return launch


# Convolutions: cuDNN chooses among algorithms of which some are deterministic


def convolution(inputs: Inputs, dimensions: int, transposed: bool) -> Launch:
    sides = {1: (4096, 64), 2: (96, 16), 3: (24, 6)}[dimensions]
    channels = inputs.size(64, 4)
    x = inputs.normal(inputs.size(16, 2), channels, *[inputs.size(*sides)] * dimensions, leaf=True)
    weight = inputs.normal(channels, channels, *[3] * dimensions, leaf=True)
    kind = "conv_transpose" if transposed else "conv"
    function = getattr(torch.nn.functional, f"{kind}{dimensions}d")
    return inputs.backward(lambda: function(x, weight, stride=2), x, weight)


@operator("torch.nn.Conv1d")
def conv1d(inputs: Inputs) -> Launch:
    return convolution(inputs, 1, False)


@operator("torch.nn.Conv2d")
def conv2d(inputs: Inputs) -> Launch:
    return convolution(inputs, 2, False)


@operator("torch.nn.Conv3d")
def conv3d(inputs: Inputs) -> Launch:
    return convolution(inputs, 3, False)


@operator("torch.nn.ConvTranspose1d")
def conv_transpose1d(inputs: Inputs) -> Launch:
    return convolution(inputs, 1, True)


@operator("torch.nn.ConvTranspose2d")
def conv_transpose2d(inputs: Inputs) -> Launch:
    return convolution(inputs, 2, True)


@operator("torch.nn.ConvTranspose3d")
def conv_transpose3d(inputs: Inputs) -> Launch:
    return convolution(inputs, 3, True)


# Padding: the gradients of all copies of a number are added to it


def padding(inputs: Inputs, mode: str, dimensions: int) -> Launch:
    side = inputs.size(*{1: (1000, 10), 2: (60, 6), 3: (16, 4)}[dimensions])
    wide = side - 1 if mode == "reflect" else 2 * side
    x = inputs.normal(2, 8, *[side] * dimensions, leaf=True)
    around = [wide] * (2 * dimensions)
    return inputs.backward(lambda: torch.nn.functional.pad(x, around, mode=mode), x)


@operator("torch.nn.ReplicationPad1d", varies=True)
def replication_pad1d_backward(inputs: Inputs) -> Launch:
    return padding(inputs, "replicate", 1)


@operator("torch.nn.ReplicationPad2d", varies=True)
def replication_pad2d_backward(inputs: Inputs) -> Launch:
    return padding(inputs, "replicate", 2)


@operator("torch.nn.ReplicationPad3d", varies=True)
def replication_pad3d_backward(inputs: Inputs) -> Launch:
    return padding(inputs, "replicate", 3)


@operator(
    "torch.nn.ReflectionPad1d", state=alerts("reflection_pad1d_backward_out_cuda"), varies=True
)
def reflection_pad1d_backward(inputs: Inputs) -> Launch:
    return padding(inputs, "reflect", 1)


@operator("torch.nn.ReflectionPad2d", state=alerts("reflection_pad2d_backward_cuda"), varies=True)
def reflection_pad2d_backward(inputs: Inputs) -> Launch:
    return padding(inputs, "reflect", 2)


@operator(
    "torch.nn.ReflectionPad3d", state=alerts("reflection_pad3d_backward_out_cuda"), varies=True
)
def reflection_pad3d_backward(inputs: Inputs) -> Launch:
    return padding(inputs, "reflect", 3)


# Matrix products


@operator("torch.bmm", "sparse-dense")
def bmm_sparse_dense(inputs: Inputs) -> Launch:
    size = inputs.size(400, 8)
    sparse = (inputs.spread(4, size, size) * (inputs.uniform(4, size, size) < 0.2)).to_sparse()
    dense = inputs.spread(4, size, size)
    return lambda: torch.bmm(sparse, dense)


def product(inputs: Inputs, name: str, *batch: int, vector: bool = False) -> Launch:
    size = inputs.size(1500, 16)
    one = inputs.spread(*batch, size, size)
    two = inputs.spread(*batch, size) if vector else inputs.spread(*batch, size, size)
    return lambda: getattr(torch, name)(one, two)


@operator("torch.mm")
def mm(inputs: Inputs) -> Launch:
    return product(inputs, "mm")


@operator("torch.mv")
def mv(inputs: Inputs) -> Launch:
    return product(inputs, "mv", vector=True)


@operator("torch.bmm", "")
def bmm(inputs: Inputs) -> Launch:
    return product(inputs, "bmm", 4)


# Indexing: many sources for one place


def crowd(inputs: Inputs) -> tuple[Any, Any, Any]:
    """A few places, an index into them that names each many times, and what goes there."""
    many = inputs.size(300_000, 200)
    return inputs.spread(16, 8), inputs.below(16, many), inputs.spread(many, 8)


@operator("torch.Tensor.__getitem__", device="cpu", varies=True)
def getitem_backward(inputs: Inputs) -> Launch:
    x = inputs.normal(16, 8, leaf=True)
    places = inputs.below(16, inputs.size(300_000, 200)).tolist()
    return inputs.backward(lambda: x[places], x)


@operator("torch.Tensor.index_put", "``accumulate=False``", varies=True)
def index_put(inputs: Inputs) -> Launch:
    x, index, source = crowd(inputs)
    return lambda: x.index_put((index,), source)


@operator("torch.Tensor.index_put", "``accumulate=True``", device="cpu", varies=True)
def index_put_accumulate(inputs: Inputs) -> Launch:
    x, index, source = crowd(inputs)
    return lambda: x.index_put((index,), source, accumulate=True)


@operator(
    "torch.Tensor.put_", "``accumulate=True`` when called on a CPU", device="cpu", varies=True
)
def put_accumulate_cpu(inputs: Inputs) -> Launch:
    return put(inputs, accumulate=True)


def put(inputs: Inputs, accumulate: bool) -> Launch:
    x, index, source = crowd(inputs)
    values = source[:, 0].contiguous()
    return lambda: x.clone().put_(index, values, accumulate=accumulate)


@operator("torch.Tensor.put_", "``accumulate=False``", state=alerts("put_"), varies=True)
def put_(inputs: Inputs) -> Launch:
    return put(inputs, accumulate=False)


@operator(
    "torch.Tensor.put_",
    "``accumulate=True`` and called on a CUDA",
    state=alerts("put_"),
    varies=True,
)
def put_accumulate(inputs: Inputs) -> Launch:
    return put(inputs, accumulate=True)


def scattering(inputs: Inputs, call: Callable[[Any, Any, Any], Any], near_one: bool) -> Launch:
    x, index, source = crowd(inputs)
    if near_one:  # a product of many numbers, which must neither vanish nor overflow
        x, source = (torch.exp(1e-4 * torch.tanh(each)) for each in (x, source))
    places = index[:, None].expand_as(source)
    return lambda: call(x, places, source)


@operator("torch.Tensor.scatter_add_", varies=True)
def scatter_add(inputs: Inputs) -> Launch:
    return scattering(inputs, lambda x, index, source: x.scatter_add(0, index, source), False)


@operator("torch.Tensor.scatter", varies=True)
def scatter(inputs: Inputs) -> Launch:
    return scattering(inputs, lambda x, index, source: x.scatter(0, index, source), False)


@operator("torch.Tensor.scatter_reduce", "``reduce='sum'``", varies=True)
def scatter_reduce_sum(inputs: Inputs) -> Launch:
    return scattering(inputs, lambda x, at, source: x.scatter_reduce(0, at, source, "sum"), False)


@operator("torch.Tensor.scatter_reduce", "``reduce='mean'``", varies=True)
def scatter_reduce_mean(inputs: Inputs) -> Launch:
    return scattering(inputs, lambda x, at, source: x.scatter_reduce(0, at, source, "mean"), False)


@operator(
    "torch.Tensor.scatter_reduce",
    "``reduce='prod'``",
    state=alerts("scatter_reduce_cuda_prod_"),
    varies=True,
)
def scatter_reduce_prod(inputs: Inputs) -> Launch:
    return scattering(inputs, lambda x, at, source: x.scatter_reduce(0, at, source, "prod"), True)


@operator("torch.gather", varies=True)
def gather_backward(inputs: Inputs) -> Launch:
    x, index, source = inputs.normal(16, 8, leaf=True), *crowd(inputs)[1:]
    places = index[:, None].expand_as(source)
    return inputs.backward(lambda: torch.gather(x, 0, places), x)


@operator("torch.index_add", varies=True)
def index_add(inputs: Inputs) -> Launch:
    x, index, source = crowd(inputs)
    return lambda: torch.index_add(x, 0, index, source)


@operator("torch.index_select", varies=True)
def index_select_backward(inputs: Inputs) -> Launch:
    x, index = inputs.normal(16, 8, leaf=True), crowd(inputs)[1]
    return inputs.backward(lambda: torch.index_select(x, 0, index), x)


@operator("torch.repeat_interleave", varies=True)
def repeat_interleave_backward(inputs: Inputs) -> Launch:
    x = inputs.normal(16, 8, leaf=True)
    repeats = torch.full((16,), inputs.size(20_000, 10), device=inputs.device)
    return inputs.backward(lambda: torch.repeat_interleave(x, repeats, dim=0), x)


@operator("torch.Tensor.index_copy", varies=True)
def index_copy(inputs: Inputs) -> Launch:
    x, index, source = crowd(inputs)
    return lambda: x.index_copy(0, index, source)


@operator("torch.nn.Embedding", varies=True)
def embedding_backward(inputs: Inputs) -> Launch:
    weight, index = inputs.normal(16, 64, leaf=True), inputs.below(16, inputs.size(300_000, 200))
    return inputs.backward(lambda: torch.nn.functional.embedding(index, weight), weight)


@operator(
    "torch.nn.EmbeddingBag", "``mode='max'``", state=alerts("embedding_bag_backward_cuda_max"),
    varies=True,
)  # fmt: skip
def embedding_bag_max_backward(inputs: Inputs) -> Launch:
    weight = inputs.normal(16, 64, leaf=True)
    index = inputs.below(16, inputs.size(50_000, 40), 3)
    function = torch.nn.functional.embedding_bag
    return inputs.backward(lambda: function(index, weight, mode="max"), weight)


# Pooling with windows that overlap


def pooling(inputs: Inputs, name: str, dimensions: int, *size: Any, **options: Any) -> Launch:
    side = inputs.size(*{2: (253, 13), 3: (41, 11)}[dimensions])
    x = inputs.normal(2, 8, *[side] * dimensions, leaf=True)
    function = getattr(torch.nn.functional, name)
    return inputs.backward(lambda: function(x, *size, **options), x)


@operator("torch.nn.AvgPool3d", state=alerts("avg_pool3d_backward_cuda"), varies=True)
def avg_pool3d_backward(inputs: Inputs) -> Launch:
    return pooling(inputs, "avg_pool3d", 3, 5, 1)


@operator("torch.nn.AdaptiveAvgPool2d", state=alerts("adaptive_avg_pool2d_backward_cuda"))
def adaptive_avg_pool2d_backward(inputs: Inputs) -> Launch:
    return pooling(inputs, "adaptive_avg_pool2d", 2, inputs.size(200, 9))


@operator("torch.nn.AdaptiveAvgPool3d", state=alerts("adaptive_avg_pool3d_backward_cuda"))
def adaptive_avg_pool3d_backward(inputs: Inputs) -> Launch:
    return pooling(inputs, "adaptive_avg_pool3d", 3, inputs.size(30, 5))


@operator("torch.nn.MaxPool3d", state=alerts("max_pool3d_with_indices_backward_cuda"), varies=True)
def max_pool3d_backward(inputs: Inputs) -> Launch:
    return pooling(inputs, "max_pool3d", 3, 5, 1)


@operator("torch.nn.AdaptiveMaxPool2d", state=alerts("adaptive_max_pool2d_backward_cuda"))
def adaptive_max_pool2d_backward(inputs: Inputs) -> Launch:
    return pooling(inputs, "adaptive_max_pool2d", 2, inputs.size(200, 9))


# Adds atomically, and alerts nobody (aten/src/ATen/native/cuda/AdaptiveMaxPooling3d.cu).
@operator(None, state=SILENT)
def adaptive_max_pool3d_backward(inputs: Inputs) -> Launch:
    return pooling(inputs, "adaptive_max_pool3d", 3, inputs.size(30, 5))


def fractional(inputs: Inputs, dimensions: int) -> Launch:
    samples = inputs.uniform(2, 8, dimensions)
    name = f"fractional_max_pool{dimensions}d"
    out = inputs.size({2: 240, 3: 36}[dimensions], 5)
    return pooling(inputs, name, dimensions, 5, output_size=out, _random_samples=samples)


@operator(
    "torch.nn.FractionalMaxPool2d", state=alerts("fractional_max_pool2d_backward_cuda"),
    varies=True,
)  # fmt: skip
def fractional_max_pool2d_backward(inputs: Inputs) -> Launch:
    return fractional(inputs, 2)


@operator(
    "torch.nn.FractionalMaxPool3d", state=alerts("fractional_max_pool3d_backward_cuda"),
    varies=True,
)  # fmt: skip
def fractional_max_pool3d_backward(inputs: Inputs) -> Launch:
    return fractional(inputs, 3)


def unpooling(inputs: Inputs, dimensions: int) -> Launch:
    side = inputs.size(*{1: (100_000, 8), 2: (300, 6), 3: (48, 4)}[dimensions])
    x = inputs.normal(1, 4, *[side] * dimensions)
    places = inputs.below(16, *x.shape)
    function = getattr(torch.nn.functional, f"max_unpool{dimensions}d")
    return lambda: function(x, places, 2, 2)


@operator("torch.nn.MaxUnpool1d", state=alerts("max_unpooling2d_forward_out"), varies=True)
def max_unpool1d(inputs: Inputs) -> Launch:
    return unpooling(inputs, 1)


@operator("torch.nn.MaxUnpool2d", state=alerts("max_unpooling2d_forward_out"), varies=True)
def max_unpool2d(inputs: Inputs) -> Launch:
    return unpooling(inputs, 2)


@operator("torch.nn.MaxUnpool3d", state=alerts("max_unpooling3d_forward_out"), varies=True)
def max_unpool3d(inputs: Inputs) -> Launch:
    return unpooling(inputs, 3)


# Interpolation


def interpolation(inputs: Inputs, mode: str, dimensions: int) -> Launch:
    side, factor = {1: ((64, 6), 500), 2: ((24, 4), 16), 3: ((10, 3), 6)}[dimensions]
    x = inputs.normal(2, 8, *[inputs.size(*side)] * dimensions, leaf=True)
    by = factor if inputs.large else 2
    function = torch.nn.functional.interpolate
    return inputs.backward(lambda: function(x, scale_factor=by, mode=mode, align_corners=False), x)


INTERPOLATE = "torch.nn.functional.interpolate"


@operator(
    INTERPOLATE, "``linear``", state=alerts("upsample_linear1d_backward_out_cuda"), varies=True
)
def interpolate_linear_backward(inputs: Inputs) -> Launch:
    return interpolation(inputs, "linear", 1)


@operator(INTERPOLATE, "``bilinear``", varies=True)
def interpolate_bilinear_backward(inputs: Inputs) -> Launch:
    return interpolation(inputs, "bilinear", 2)


@operator(
    INTERPOLATE, "``bicubic``", state=alerts("upsample_bicubic2d_backward_out_cuda"), varies=True
)
def interpolate_bicubic_backward(inputs: Inputs) -> Launch:
    return interpolation(inputs, "bicubic", 2)


@operator(
    INTERPOLATE, "``trilinear``", state=alerts("upsample_trilinear3d_backward_out_cuda"),
    varies=True,
)  # fmt: skip
def interpolate_trilinear_backward(inputs: Inputs) -> Launch:
    return interpolation(inputs, "trilinear", 3)


def sampling(inputs: Inputs, dimensions: int) -> Launch:
    side = inputs.size(*{2: (300, 8), 3: (60, 5)}[dimensions])
    x = inputs.normal(2, 4, *[5] * dimensions, leaf=True)
    grid = 2 * inputs.uniform(2, *[side] * dimensions, dimensions) - 1
    function = torch.nn.functional.grid_sample
    return inputs.backward(lambda: function(x, grid, align_corners=False), x)


@operator(
    "torch.nn.functional.grid_sample", state=alerts("grid_sampler_2d_backward_cuda"), varies=True
)
def grid_sample_2d_backward(inputs: Inputs) -> Launch:
    return sampling(inputs, 2)


@operator(
    "torch.nn.functional.grid_sample", state=alerts("grid_sampler_3d_backward_cuda"), varies=True
)
def grid_sample_3d_backward(inputs: Inputs) -> Launch:
    return sampling(inputs, 3)


# Losses


@operator("torch.nn.NLLLoss", state=alerts("nll_loss2d_forward_out_cuda_template"), varies=True)
def nll_loss2d(inputs: Inputs) -> Launch:
    side = inputs.size(512, 6)
    scores, classes = inputs.spread(4, 8, side, side), inputs.below(8, 4, side, side)
    return lambda: torch.nn.functional.nll_loss(scores, classes)


@operator("torch.nn.CTCLoss", state=alerts("ctc_loss_backward_gpu"), varies=True)
def ctc_loss_backward(inputs: Inputs) -> Launch:
    length, size, letters, longest = (400, 32, 6, 150) if inputs.large else (12, 2, 5, 4)
    scores = inputs.normal(length, size, letters, leaf=True)
    text = 1 + inputs.below(letters - 1, size, longest)
    frames, lengths = torch.full((size,), length), torch.full((size,), longest)
    loss = torch.nn.functional.ctc_loss

    def forward() -> Any:
        scaled = scores.log_softmax(2)
        return loss(scaled, text, frames, lengths, reduction="none", zero_infinity=True)

    return inputs.backward(forward, scores)


# Counting, sorting and scanning


@operator("torch.histc", state=alerts("_histc_cuda"))
def histc(inputs: Inputs) -> Launch:
    x = inputs.uniform(inputs.size(1_000_000, 100))
    return lambda: torch.histc(x, bins=10, min=0, max=1)


@operator("torch.bincount", "``weights``", state=alerts("_bincount_cuda"), varies=True)
def bincount_weights(inputs: Inputs) -> Launch:
    _, index, source = crowd(inputs)
    weights = source[:, 0].contiguous()
    return lambda: torch.bincount(index, weights)


def ties(inputs: Inputs) -> Any:
    """Rows in which every number is there many times: which of them is meant is not said."""
    return inputs.below(3, 64, inputs.size(20_000, 20)).float()


@operator("torch.kthvalue", state=alerts("kthvalue CUDA"), varies=True)
def kthvalue(inputs: Inputs) -> Launch:
    x = ties(inputs)
    return lambda: tuple(torch.kthvalue(x, x.shape[1] // 2))


@operator("torch.median", state=alerts("median CUDA with indices output"), varies=True)
def median_indices(inputs: Inputs) -> Launch:
    x = ties(inputs)
    return lambda: tuple(torch.median(x, 1))


@operator("torch.cumsum", varies=True)
def cumsum(inputs: Inputs) -> Launch:
    x = inputs.spread(inputs.size(6_000_000, 100))
    return lambda: torch.cumsum(x, 0)


@operator("torch.Tensor.resize_", state=alerts("quantized_resize_cpu_"), device="cpu")
def resize_quantized(inputs: Inputs) -> Launch:
    x = inputs.normal(4)

    def launch() -> Any:
        quantized = torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)
        # Nobody has written the rest.
        return quantized.resize_(8).int_repr()[:4]

    return launch


# Attention. Not in the list. https://github.com/pytorch/pytorch/pull/182551 has it for the notes;
# the warnings are in aten/src/ATen/native/transformers/cuda/attention_backward.cu. Under `warn` the
# hook has the deterministic versions taken (seed_init/libraries/torch_attention.py).


def attention(
    inputs: Inputs, backend: str, dtype: str, size: tuple[int, int], length: int
) -> Launch:
    query, key, value = (
        inputs.normal(*size, inputs.size(length, 16), 64, leaf=True, dtype=getattr(torch, dtype))
        for _ in range(3)
    )
    function = torch.nn.functional.scaled_dot_product_attention

    def forward() -> Any:
        if inputs.device == "cpu":
            return function(query, key, value)
        from torch.nn.attention import SDPBackend, sdpa_kernel

        with sdpa_kernel(getattr(SDPBackend, backend)):
            return function(query, key, value)

    def launch() -> Any:
        # Not gradients of very different sizes: in 16 bits they would overflow.
        out = forward()
        return torch.autograd.grad(out, (query, key, value), torch.ones_like(out))

    return launch


@operator(
    None,
    varies=True,
    needs="FlashAttention: compute capability 8.0",
)
def flash_attention_backward(inputs: Inputs) -> Launch:
    return attention(inputs, "FLASH_ATTENTION", "bfloat16", (4, 8), 2048)


@operator(
    None,
    varies=True,
    needs="a kernel for the compute capability",
)
def efficient_attention_backward(inputs: Inputs) -> Launch:
    # Few heads and many keys: the keys are split among blocks.
    return attention(inputs, "EFFICIENT_ATTENTION", "float32", (1, 2), 8192)


@operator(
    None,
    state=State(
        Kind.NONE, "cuDNN Attention defaults to a non-deterministic", "No available kernel"
    ),
    needs="cuDNN's attention: compute capability 8.0 and a cuDNN that has it",
)
def cudnn_attention_backward(inputs: Inputs) -> Launch:
    return attention(inputs, "CUDNN_ATTENTION", "bfloat16", (4, 8), 2048)
