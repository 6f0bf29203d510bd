"""What PyTorch says about the models of benchmarks/cost on CUDA, as of 2.6.0."""

from .states import DETERMINISTIC, State, alerts

MODELS: dict[str, State] = {
    "resnet": DETERMINISTIC,
    # The loss of a class for each pixel.
    "unet": alerts("nll_loss2d_forward_out_cuda_template"),
    # In bfloat16 with a causal mask, attention is FlashAttention, under `warn` by the hook's doing.
    "transformer": DETERMINISTIC,
    "lstm": DETERMINISTIC,
    "gnn": DETERMINISTIC,
    "embedding_bag": DETERMINISTIC,
    # In float32 with a mask it is the memory-efficient kernel.
    "attention": DETERMINISTIC,
    "ctc": alerts("ctc_loss_backward_gpu"),
}
"""Model -> what it does under the levels, because of the operator that is named."""

VARY = ("gnn", "ctc")
"""Models that give other bits in some runs under `off`: sums by `scatter_add`, the CTC loss."""
