# SPDX-License-Identifier: Apache-2.0
"""Operators of PyTorch that look at `warn_only`, as `torch_attention` needs them.

tests/nullcuda/test_attention.py compares both lists with the binaries of the installed release.
"""

DETERMINISTIC = ("_flash_attention_backward", "_efficient_attention_backward")
"""Operators of aten whose deterministic version needs warn_only to be False."""

ALERTING = (
    *("put_", "max_unpool2d", "max_unpool3d", "median.dim", "nanmedian.dim", "kthvalue"),
    *("histc", "bincount", "_ctc_loss_backward", "_embedding_bag_dense_backward"),
    *("scatter.reduce", "scatter_.reduce", "scatter_reduce", "scatter_reduce_"),
    *("index_reduce", "index_reduce_", "nll_loss2d_forward"),
    *("grid_sampler_2d_backward", "grid_sampler_3d_backward", "cudnn_grid_sampler_backward"),
    *("_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward"),
    *("adaptive_avg_pool3d_backward", "avg_pool3d_backward"),
    *("adaptive_max_pool2d_backward", "max_pool3d_with_indices_backward"),
    *("fractional_max_pool2d_backward", "fractional_max_pool3d_backward"),
    *("reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward"),
    *("replication_pad1d_backward", "replication_pad2d_backward", "replication_pad3d_backward"),
    *("upsample_linear1d_backward", "upsample_trilinear3d_backward"),
    *("upsample_bilinear2d_backward", "_upsample_bilinear2d_aa_backward"),
    *("upsample_bicubic2d_backward", "_upsample_bicubic2d_aa_backward"),
)
"""Operators of aten that may call at::Context::alertNotDeterministic, on any device, in PyTorch 2.6
to 2.14; after a dot, what their overloads have in common. Each alerts before it does anything that
may not be done twice.

Not in it: `resize_`, which alerts for quantized tensors only and is called by most operators.
"""
