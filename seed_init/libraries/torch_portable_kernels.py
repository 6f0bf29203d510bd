# SPDX-License-Identifier: Apache-2.0
"""Operators of PyTorch under level `portable` that take other steps to the same result.

Each gets a kernel at the dispatch key BackendSelect, for the reasons that `torch_attention` gives:
the key is below autograd, autocast, functorch and Python's modes, every thread has it, and the
operators' own kernels can still be called from there. Tensors of other devices, and those without
numbers (meta, fake), are passed on.

    linalg_cholesky_ex, cholesky    float32: MKL's spotrf uses the approximation `rsqrtss` where
                                    a block has 2 to 16 columns. Computed in float64.
    triangular_solve                float32 and a sparse matrix: MKL uses `rcpps`. In float64.
    linalg_lstsq                    the driver gelsy is given a workspace that nobody has filled
                                    (`jpvt`, aten/src/ATen/native/BatchLinearAlgebra.cpp), where
                                    LAPACK reads which columns come first: the bits differ from
                                    call to call. The driver gelsd is used in its place.
    _int_mm                         Where a CPU has AVX512-VNNI, ATen has oneDNN multiply int8,
                                    which without these instructions (ONEDNN_MAX_CPU_ISA=AVX2) cuts
                                    sums of two products off at 16 bits. In float64: exact.
"""

import torch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from torch import Tensor

_CPU = torch._C.DispatchKey.CPU
_SPARSE = torch._C.DispatchKey.SparseCsrCPU

_OVERFLOWING = 1 << 17
"""Products of two int8 whose sum may not fit into int32: 2**17 times (-128) * (-128) is 2**31."""

_libraries: "list[Any]" = []  # a registration lasts as long as its Library


def install() -> None:
    """Register the kernels for this process and its forked children. Once is enough."""
    if _libraries:
        return
    after = torch._C._dispatch_keyset_full_after(torch._C.DispatchKey.BackendSelect)
    library = torch.library.Library("aten", "IMPL")
    _libraries.append(library)
    aten = torch.ops.aten
    for operator, make in (
        (aten.linalg_cholesky_ex.default, _in_float64),
        (aten.linalg_cholesky_ex.L, _in_float64),
        (aten.cholesky.default, _in_float64),
        (aten.cholesky.out, _in_float64),
        (aten.triangular_solve.default, _in_float64),
        (aten.triangular_solve.X, _in_float64),
        (aten.linalg_lstsq.default, _by_gelsd),
        (aten.linalg_lstsq.out, _by_gelsd),
        (aten._int_mm.default, _exactly),
        (aten._int_mm.out, _exactly),
    ):
        library.impl(operator, make(operator, after), "BackendSelect", with_keyset=True)


def _in_float64(operator: "Any", after: "Any") -> "Callable[..., Any]":
    """Return a kernel that computes in float64 what is asked for in float32, and rounds."""
    redispatch = operator.redispatch
    functional = getattr(torch.ops.aten, operator.overloadpacket.__name__).default
    names = [argument.name for argument in operator._schema.arguments if argument.is_out]
    is_sparse = "triangular_solve" in operator.name()

    def kernel(keyset: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        keyset &= after
        tensors = [x for x in (*arguments, *keywords.values()) if isinstance(x, torch.Tensor)]
        if not keyset.has(_SPARSE if is_sparse else _CPU) or not _are_float32(tensors):
            return redispatch(keyset, *arguments, **keywords)
        outs = [keywords.pop(name) for name in names]
        wide = [_wide(x) for x in arguments]
        done = functional.redispatch(keyset, *wide, **keywords)
        results = [_narrow(x) for x in (done if isinstance(done, tuple) else (done,))]
        if outs:
            copy = torch.ops.aten.clone.out  # gives `out` the shape, with PyTorch's own warning
            results = [copy(x, out=out) for x, out in zip(results, outs, strict=True)]
        return tuple(results) if len(results) > 1 else results[0]

    return kernel


def _are_float32(tensors: "list[Tensor]") -> bool:
    """Whether every tensor is float32, but for those of whole numbers (such as `info`)."""
    types = {tensor.dtype for tensor in tensors}
    return torch.float32 in types and types <= {torch.float32, torch.int32}


def _wide(value: "Any") -> "Any":
    return value.double() if isinstance(value, torch.Tensor) else value


def _narrow(result: "Tensor") -> "Tensor":
    return result.float() if result.dtype is torch.float64 else result


def _by_gelsd(operator: "Any", after: "Any") -> "Callable[..., Any]":
    """Return a kernel that has gelsd do what gelsy, the default, would do."""
    redispatch = operator.redispatch

    def kernel(
        keyset: "Any",
        matrix: "Tensor",
        right: "Tensor",
        rcond: "float | None" = None,
        *,
        driver: "str | None" = None,
        **outs: "Any",
    ) -> "Any":
        keyset &= after
        # gelsd refuses a right side without columns, where gelsy has nothing to do.
        is_ours = keyset.has(_CPU) and driver in (None, "gelsy") and right.numel()
        if not is_ours:
            return redispatch(keyset, matrix, right, rcond, driver=driver, **outs)
        done = redispatch(keyset, matrix, right, rcond, driver="gelsd", **outs)
        solution, residuals, rank, values = done
        # gelsy finds neither residuals nor singular values.
        none = [x.resize_(0) if outs else x.new_empty(0) for x in (residuals, values)]
        return solution, none[0], rank, none[1]

    return kernel


def _exactly(operator: "Any", after: "Any") -> "Callable[..., Any]":
    """Return a kernel that multiplies matrices of int8 exactly."""
    redispatch = operator.redispatch

    def kernel(keyset: "Any", one: "Tensor", other: "Tensor", **outs: "Any") -> "Any":
        keyset &= after
        is_ours = keyset.has(_CPU) and one.dtype is other.dtype is torch.int8
        if not is_ours or not _are_right(one, other, *outs.values()):
            return redispatch(keyset, one, other, **outs)  # which raises PyTorch's own errors
        product = torch.mm(one.double(), other.double())
        if one.shape[1] >= _OVERFLOWING:
            product = product.long()  # from there the conversion to int32 wraps around
        product = product.int()
        return torch.ops.aten.clone.out(product, **outs) if outs else product

    return kernel


def _are_right(one: "Tensor", other: "Tensor", *outs: "Tensor") -> bool:
    """Whether two tensors are matrices that can be multiplied, and the product fits `outs`."""
    if one.dim() != 2 or other.dim() != 2 or one.shape[1] != other.shape[0]:
        return False
    shape = (one.shape[0], other.shape[1])
    return all(out.dtype is torch.int32 and tuple(out.shape) == shape for out in outs)
