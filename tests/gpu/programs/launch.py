"""Launch operators of the catalogue several times; one line of JSON for each operator.

    launch.py --device cuda --launches 20 index_add cumsum

Without names it launches all. `noise`, which is not in the catalogue, gives other bits each time.
The lines have: name, digests (of each launch), warnings, error (type and text, or null), device.
"""

import argparse
import hashlib
import json
import os
import sys
import warnings
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[2]))
from gpu.operators import OPERATORS, Inputs


def noise():
    return torch.frombuffer(bytearray(os.urandom(16)), dtype=torch.uint8)


def main():
    options = parse()
    # PyTorch says some things once in a process; each operator is to have its own.
    torch.set_warn_always(True)
    for name in options.names or OPERATORS:
        told = launch(name, options.device, options.launches)
        print(json.dumps({"name": name, "device": options.device, **told}), flush=True)


def parse():
    parser = argparse.ArgumentParser(description="Launch operators of the catalogue.")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--launches", type=int, default=1)
    return parser.parse_args()


def launch(name, device, launches):
    digests, error = [], None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            once = prepared(name, device)
            for _ in range(launches):
                digests.append(digest(once()))
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    texts = sorted({str(each.message) for each in caught})
    return {"digests": digests, "warnings": texts, "error": error}


def prepared(name, device):
    """The function that launches it once."""
    if name == "noise":
        return noise
    operator = OPERATORS[name]
    # On the CPU only what varies there takes inputs of a size at which it does.
    return operator.prepare(Inputs(device, device != "cpu" or operator.device == "cpu"))


def digest(answer):
    """SHA-256 of the bits of a tensor, or of several."""
    content = hashlib.sha256()
    for tensor in [answer] if isinstance(answer, torch.Tensor) else answer:
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        content.update(flat.view(torch.uint8).numpy())
    return content.hexdigest()


if __name__ == "__main__":
    main()
