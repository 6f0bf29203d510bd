"""Print as JSON the flags of torch that a level of DETERMINISM sets."""

import json
import os

import torch

cudnn = torch.backends.cudnn
told = {
    "cudnn.deterministic": cudnn.deterministic,
    "cudnn.benchmark": cudnn.benchmark,
    "cudnn.allow_tf32": cudnn.allow_tf32,
    "matmul.allow_tf32": torch.backends.cuda.matmul.allow_tf32,
    "algorithms": [
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    ],
    "fill": torch.utils.deterministic.fill_uninitialized_memory,
    "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
}
print(json.dumps(told))
