"""Print the seeds and the first numbers of every CUDA device, before anything else uses CUDA.

    devices.py [CODE]

CODE is run between the import of torch and the start of CUDA, as a program of a user would.
"""

import json
import sys

import torch

exec(" ".join(sys.argv[1:]))
early = torch.cuda.is_initialized()
devices = range(torch.cuda.device_count())
numbers = [torch.rand(4, device=f"cuda:{each}").tolist() for each in devices]
seeds = [torch.cuda.default_generators[each].initial_seed() for each in devices]
told = {
    "early": early,
    "devices": len(devices),
    "numbers": numbers,
    "seeds": seeds,
    "cpu": torch.initial_seed(),
}
print(json.dumps(told))
