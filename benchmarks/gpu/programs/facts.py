"""Print what computes: torch, CUDA, cuDNN, the GPU, and the attention that PyTorch would choose."""

import json

import torch

CHOICES = {-1: "error", 0: "math", 1: "flash", 2: "efficient", 3: "cudnn", 4: "overrideable"}
"""torch.nn.attention.SDPBackend."""


def choice(dtype: torch.dtype) -> str:
    q = torch.zeros(2, 4, 256, 64, device="cuda", dtype=dtype, requires_grad=True)
    return CHOICES[torch._fused_sdp_choice(q, q, q)]


print(
    json.dumps(
        {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "gpu": torch.cuda.get_device_name(),
            "capability": torch.cuda.get_device_capability(),
            "architectures": torch.cuda.get_arch_list(),
            "bfloat16 attention": choice(torch.bfloat16),
            "float32 attention": choice(torch.float32),
        }
    )
)
