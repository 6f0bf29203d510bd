"""Units of work before and after CUDA starts; prints the seeds of both as JSON."""

import json

import torch

from seed_init.hook import units


def seeds():
    cuda = None
    if torch.cuda.is_initialized():
        cuda = [generator.initial_seed() for generator in torch.cuda.default_generators]
    return torch.initial_seed(), cuda


def unit(number, start=False):
    begun = units.begin("tests", ("unit", number), aside=True)
    try:
        if start:
            torch.cuda.init()
        return seeds()
    finally:
        units.end(begun)


early = [unit(1), unit(2)]
is_early = torch.cuda.is_initialized()
starting = unit(3, start=True)
after = seeds()
print(
    json.dumps(
        {
            "is early": is_early,
            "early": early,
            "starting": starting,
            "after": after,
            "late": [unit(3), unit(4)],
            "at last": seeds(),
        }
    )
)
