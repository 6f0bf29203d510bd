"""Print as JSON the variables of other libraries: before and after torch, and in children."""

import json
import os
import subprocess
import sys

NAMES = (
    "NCCL_NVLS_ENABLE",
    "NVTE_ALLOW_NONDETERMINISTIC_ALGO",
    "FLASH_ATTENTION_DETERMINISTIC",
    "MAMBA_DETERMINISTIC",
    "CAUSAL_CONV1D_DETERMINISTIC",
    "TORCHINDUCTOR_SHAPE_PADDING",
    "TORCHINDUCTOR_DYNAMIC_SCALE_RBLOCK",
    "TORCHINDUCTOR_DETERMINISTIC",
)


def here() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def child(level: str) -> dict[str, str]:
    """What is there in a program that this one starts, under another level."""
    environ = {**os.environ, "DETERMINISM": level}
    done = subprocess.run([sys.executable, __file__, "child"], env=environ, capture_output=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


before = here()
import torch  # noqa: E402, F401

if len(sys.argv) > 1:
    print(json.dumps({**here(), "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG")}))
else:
    told = {
        "before": before,
        "after": here(),
        # What torch.use_deterministic_algorithms would load from 2.10 on.
        "loaded": [name for name in sys.modules if name == "torch._inductor.config"],
        "child under off": child("off"),
        "child under warn": child("warn"),
    }
    from torch._inductor import config

    names = ("shape_padding", "dynamic_scale_rblock", "deterministic")
    told["inductor"] = {name: getattr(config, name, None) for name in names}
    print(json.dumps(told))
