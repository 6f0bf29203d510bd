"""Use the newer flags of the precision beside the former ones, or what 2.6 has in their place.

From torch 2.9 on the former TF32 flags raise where the newer ones say something that they cannot.
For a release without the newer ones, their getters are made to raise.
"""

import json

import torch

import seed_init
from seed_init.proof.observer.instruments import facts_torch

backends = torch.backends
has_newer = hasattr(torch._C, "_get_fp32_precision_getter")
if has_newer:
    backends.cudnn.conv.fp32_precision = "ieee"
    backends.cuda.matmul.fp32_precision = "tf32"
else:

    def refuse() -> None:
        raise RuntimeError("a mix of the legacy and new APIs")

    vars(type(backends.cudnn))["allow_tf32"].getter = refuse
    torch.get_float32_matmul_precision = refuse
# The hook reads the flag when it is set; that must not make the assignment fail.
backends.cudnn.allow_tf32 = False
backends.cudnn.benchmark = True
if has_newer:
    backends.cudnn.conv.fp32_precision = "tf32"
flags = {name: flag["now"] for name, flag in seed_init.status()["flags"].items()}
print(json.dumps({"has_newer": has_newer, "flags": flags, "recorded": facts_torch.flags()}))
