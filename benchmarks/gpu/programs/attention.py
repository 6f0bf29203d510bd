"""Go backward through attention 30 times from the same state; count the results, time the pass.

Prints for each kind of attention: how many different results, the median milliseconds of a backward
pass, and the node of autograd, which names the backend.
"""

import json
import time
import warnings
from typing import Any

import torch
from checksums import checksum
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

REPEATS = 30
LONG = (4, 16, 4096, 64)
KINDS = {
    "default bfloat16": (None, torch.bfloat16, LONG),
    "flash": (SDPBackend.FLASH_ATTENTION, torch.bfloat16, LONG),
    "default float32": (None, torch.float32, (1, 2, 8192, 64)),
    "cudnn, asked for": (SDPBackend.CUDNN_ATTENTION, torch.bfloat16, LONG),
}


def attend(backend: Any, q: Any, k: Any, v: Any) -> Any:
    if backend is None:
        return F.scaled_dot_product_attention(q, k, v)
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v)


def measure(backend: Any, dtype: Any, shape: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    inputs = [torch.randn(*shape, device="cuda", dtype=dtype, requires_grad=True) for _ in "qkv"]
    weight = torch.randn(*shape, device="cuda", dtype=dtype)
    sums = []
    times = []
    for _ in range(REPEATS):
        out = attend(backend, *inputs)
        torch.cuda.synchronize()
        start = time.perf_counter()
        grads = torch.autograd.grad(out, inputs, weight)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        sums.append(checksum(grads))
    name = out.grad_fn.name().replace("ScaledDotProduct", "").replace("AttentionBackward0", "")
    ms = round(sorted(times)[REPEATS // 2] * 1e3, 2)
    return {"results": len(set(map(int, sums))), "ms": ms, "backend": name}


warnings.simplefilter("ignore")
told: dict[str, Any] = {}
for name, kind in KINDS.items():
    try:
        told[name] = measure(*kind)
    except RuntimeError as error:
        told[name] = {"error": str(error).splitlines()[0][:80]}
told["warn_only"] = torch.is_deterministic_algorithms_warn_only_enabled()
print(json.dumps(told))
