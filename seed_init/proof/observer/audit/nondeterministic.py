# SPDX-License-Identifier: Apache-2.0
"""This table says which operators of PyTorch 2.6.0 need not give the same bits twice.

From the documentation of torch.use_deterministic_algorithms, and from at::Context's
alertNotDeterministic; what holds on a CPU, from the kernels: they accumulate float32 with atomic
additions, in several threads, from GRAIN elements on (aten/src/ATen/native/cpu/IndexKernel.cpp).
Not in the table: matrix products on CUDA, which need CUBLAS_WORKSPACE_CONFIG only where a program
uses several streams; recurrent cells of cuDNN; operators of other libraries.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

GRAIN = 32768
"""at::internal::GRAIN_SIZE: elements from which on a CPU kernel uses several threads."""

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """A condition under which an operator is nondeterministic.

    Attributes:
        device: "cpu", "cuda", or "" for every one.
        alternative: whether torch.use_deterministic_algorithms(True) has a deterministic one.
        only_strict: it has, but with `warn_only` only where the hook has it taken
            (libraries/torch_attention.py); else PyTorch warns, in other words than elsewhere.
        when: from the arguments by name to whether this call is one; None for every call.
        alert: what PyTorch's warning calls it, or a part of that; where there is an alternative,
            nothing warns.
        silent: PyTorch neither warns of it nor raises, and has no other version.
    """

    device: str
    alternative: bool = False
    only_strict: bool = False
    when: "Callable[[Arguments], bool] | None" = None
    alert: str = ""
    silent: bool = False


def _torch() -> Any:
    return sys.modules["torch"]


def _is_parallel(elements: int) -> bool:
    threads: int = _torch().get_num_threads()
    return elements >= GRAIN and threads > 1


def _indexed(arguments: Arguments) -> "tuple[list[Any], int]":
    """Return the indices, without masks, and how many elements the indices pick."""
    here = arguments["self"]
    indices = [index for index in arguments["indices"] if index is not None]
    if any(index.dtype in (_torch().bool, _torch().uint8) for index in indices):
        return [], 0  # a mask picks nothing twice
    shape = _torch().broadcast_shapes(*(index.shape for index in indices))
    rest = [
        size
        for number, size in enumerate(here.shape)
        if number >= len(arguments["indices"]) or arguments["indices"][number] is None
    ]
    return indices, math.prod(shape) * math.prod(rest)


def _adds_by_index(arguments: Arguments) -> bool:
    if not arguments["accumulate"]:
        return False
    indices, elements = _indexed(arguments)
    return bool(indices) and arguments["self"].dtype == _torch().float32 and _is_parallel(elements)


def _overwrites_by_index_cpu(arguments: Arguments) -> bool:
    if arguments["accumulate"]:
        return False
    indices, elements = _indexed(arguments)
    return bool(indices) and _is_parallel(elements) and _has_duplicates(indices)


def _overwrites_by_index_cuda(arguments: Arguments) -> bool:
    # Whether an index occurs twice cannot be asked without waiting for the device.
    return not arguments["accumulate"] and bool(_indexed(arguments)[0])


def _has_duplicates(indices: "list[Any]") -> bool:
    if len(indices) > 1:
        return True  # in the pairs: not worth the time
    flat = indices[0].reshape(-1)
    return bool(flat.unique().numel() < flat.numel())


def _adds_by_put(arguments: Arguments) -> bool:
    is_float = arguments["self"].dtype == _torch().float32
    return bool(arguments["accumulate"] and is_float and _is_parallel(arguments["index"].numel()))


def _copies_by_index(arguments: Arguments) -> bool:
    index = arguments["index"]
    if arguments["self"].device.type != "cpu":
        return True
    return _is_parallel(arguments["source"].numel()) and _has_duplicates([index])


def _reduces(*kinds: str) -> "Callable[[Arguments], bool]":
    return lambda arguments: arguments["reduce"] in kinds


def _is_floating(arguments: Arguments) -> bool:
    here = arguments["self"]
    return bool(here.is_floating_point() or here.is_complex())


def _scans_the_whole(arguments: Arguments) -> bool:
    """Return whether a scan is of floating-point numbers along a tensor's only dimension.

    That one is cub's, whose blocks add up what those before them have in the order in which they
    come to it; rows and columns beside each other are scanned by a block each
    (aten/src/ATen/native/cuda/ScanUtils.cuh, scan_dim).
    """
    here, along = arguments["self"], arguments["dim"]
    if isinstance(along, str):
        along = here.names.index(along)
    dtype = arguments.get("dtype") or here.dtype
    is_floating = dtype.is_floating_point or dtype.is_complex
    return bool(is_floating and here.dim() and here.numel() == here.shape[along])


def _windows_overlap(arguments: Arguments) -> bool:
    """Return whether the windows of a three-dimensional adaptive pooling share elements."""
    inputs, outputs = arguments["self"].shape[-3:], arguments["grad_output"].shape[-3:]
    return any(input_size % output_size for input_size, output_size in zip(inputs, outputs))


def _is_sparse(arguments: Arguments) -> bool:
    return bool(arguments["self"].is_sparse)


def _has_weights(arguments: Arguments) -> bool:
    return arguments.get("weights") is not None


def _is_max(arguments: Arguments) -> bool:
    return bool(arguments["mode"] == 2)  # of EmbeddingBag: 0 sum, 1 mean, 2 max


def _cudnn_chooses(arguments: Arguments) -> bool:
    return not _torch()._C._get_cudnn_deterministic()


CONVOLUTION = "convolution_backward"
"""Its forward is in the table itself."""


def _same(names: str, *rules: Rule) -> "dict[str, tuple[Rule, ...]]":
    return dict.fromkeys(names.split(), rules)


_CUDA = Rule("cuda")
_ATTENTION = Rule("cuda", only_strict=True)
_CUDNN_ATTENTION = Rule("cuda", alert="cuDNN Attention")
_SCATTER = Rule("cuda", alternative=True)

ATTENTION = (
    *("_efficient_attention", "_flash_attention", "_scaled_dot_product_efficient_attention"),
    *("_scaled_dot_product_flash_attention", "_scaled_dot_product_cudnn_attention"),
)
"""Fused attention on CUDA: operators of aten without "_forward" and "_backward"."""

TABLE: "dict[str, tuple[Rule, ...]]" = {
    **_same(
        "index_put index_put_ _index_put_impl_ _unsafe_index_put",
        Rule("cpu", alternative=True, when=_adds_by_index),
        Rule("cpu", alternative=True, when=_overwrites_by_index_cpu),
        Rule("cuda", alternative=True, when=_overwrites_by_index_cuda),
    ),
    **_same(
        "put put_",
        Rule("", when=lambda a: not a["accumulate"], alert="put_"),
        Rule("cpu", alternative=True, when=_adds_by_put),
        Rule("cuda", when=lambda a: bool(a["accumulate"]), alert="put_"),
    ),
    **_same("index_copy index_copy_", Rule("", alternative=True, when=_copies_by_index)),
    **_same("scatter_add scatter_add_ index_add index_add_", _SCATTER),
    **_same(
        "scatter scatter_",
        Rule("cuda", when=lambda a: a.get("reduce") == "multiply" and "src" in a, alert="scatter_"),
        Rule("cuda", alternative=True, when=lambda a: "src" in a),
    ),
    **_same(
        "scatter_reduce scatter_reduce_",
        Rule("cuda", alternative=True, when=_reduces("sum", "mean")),
        Rule("cuda", when=_reduces("prod"), alert="scatter_reduce"),
    ),
    **_same(
        "index_reduce index_reduce_",
        Rule(
            "cuda",
            when=lambda a: a["reduce"] in ("prod", "mean") and _is_floating(a),
            alert="index_reduce",
        ),
    ),
    "bmm": (Rule("cuda", alternative=True, when=_is_sparse),),
    **_same(
        f"convolution {CONVOLUTION}",
        Rule("cuda", alternative=True, when=_cudnn_chooses),
    ),
    # torch.nn.functional's pad and interpolate are made of other operators where the flag is set.
    **_same(
        "replication_pad1d_backward replication_pad2d_backward replication_pad3d_backward "
        "upsample_bilinear2d_backward",
        Rule("cuda", alternative=True),
    ),
    "max_unpool2d": (Rule("", alert="max_unpooling2d"),),
    "max_unpool3d": (Rule("", alert="max_unpooling3d"),),
    **_same(
        "avg_pool3d_backward _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward "
        "max_pool3d_with_indices_backward adaptive_max_pool2d_backward "
        "fractional_max_pool2d_backward fractional_max_pool3d_backward "
        "upsample_linear1d_backward _upsample_bilinear2d_aa_backward "
        "upsample_bicubic2d_backward _upsample_bicubic2d_aa_backward upsample_trilinear3d_backward "
        "reflection_pad1d_backward reflection_pad2d_backward reflection_pad3d_backward "
        "kthvalue grid_sampler_2d_backward grid_sampler_3d_backward",
        _CUDA,
    ),
    # aten/src/ATen/native/transformers/cuda/attention_backward.cu
    f"{ATTENTION[-1]}_backward": (_CUDNN_ATTENTION,),
    **_same(
        " ".join(f"{name}_backward" for name in ATTENTION[:-1]),
        _ATTENTION,
    ),
    # aten/src/ATen/native/cuda/AdaptiveMaxPooling3d.cu: adds atomically, and alerts nobody.
    "adaptive_max_pool3d_backward": (Rule("cuda", when=_windows_overlap, silent=True),),
    "_ctc_loss_backward": (Rule("cuda", alert="ctc_loss_backward"),),
    "_embedding_bag_dense_backward": (
        Rule("cuda", when=_is_max, alert="embedding_bag_backward_cuda_max"),
    ),
    "nll_loss2d_forward": (Rule("cuda", when=lambda a: a["reduction"] != 0),),
    "histc": (Rule("cuda", when=_is_floating),),
    "bincount": (Rule("cuda", when=_has_weights),),
    "median": (Rule("cuda", when=lambda a: "dim" in a, alert="median CUDA"),),
    "nanmedian": (Rule("cuda", when=lambda a: "dim" in a, alert="median CUDA"),),
    **_same("cumsum cumsum_", Rule("cuda", alternative=True, when=_scans_the_whole)),
    **_same(
        "cumprod cumprod_ logcumsumexp",
        Rule("cuda", when=_scans_the_whole, silent=True),
    ),
}
"""Operator of aten, without its overload -> when it is nondeterministic."""

FORWARD = (
    *("index", "embedding", "embedding_bag", "_embedding_bag", "gather", "index_select", "take"),
    *("repeat_interleave", "_ctc_loss", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"),
    *("_efficient_attention_forward", "_flash_attention_forward", *ATTENTION[2:]),
    *(
        name.removesuffix("_backward")
        for name in TABLE
        if name.endswith("_backward") and not name.startswith("_") and name != CONVOLUTION
    ),
)
"""Operators whose backward may be one of the table: the user's line that calls them is kept."""


def rule_for(name: str, arguments: Arguments, device: str) -> "Rule | None":
    """Return the rule that makes this call of an operator nondeterministic; None for no rule.

    Args:
        name: of the operator, without its overload.
        arguments: by name, as in the operator's schema.
        device: "cpu" or "cuda", of the tensors.
    """
    for rule in TABLE.get(name, ()):
        if rule.device in ("", device) and (rule.when is None or rule.when(arguments)):
            return rule
    return None
