"""Multiply matrices on a device; print a digest, the flags, and what cuBLAS was told.

    products.py DEVICE [CODE]

CODE is run before torch is imported, which comes after it for that.
"""

import hashlib
import json
import os
import sys

exec(" ".join(sys.argv[2:]))

import torch  # noqa: E402

DEVICE = sys.argv[1]
generator = torch.Generator().manual_seed(0)
one, two = (torch.randn(4, 700, 700, generator=generator).to(DEVICE) for _ in range(2))
error, digest = None, hashlib.sha256()
try:
    for product in (one[0] @ two[0], one @ two, torch.mv(one[0], two[0, 0])):
        digest.update(product.cpu().numpy().tobytes())
except RuntimeError as raised:
    error = str(raised)
told = {
    "digest": digest.hexdigest(),
    "error": error,
    "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    "algorithms": torch.get_deterministic_debug_mode(),
    "cudnn": [torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark],
    "fill": torch.utils.deterministic.fill_uninitialized_memory,
}
print(json.dumps(told))
