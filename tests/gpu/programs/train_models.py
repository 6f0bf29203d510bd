"""Train the models of benchmarks/cost for a few steps each; one line of JSON for each.

    train_models.py DIRECTORY --device cuda --steps 5 resnet gnn

DIRECTORY is that of the models and of train.py, whose loop it is. Without names it trains all. The
lines have what those of launch.py have, with one digest: of the parameters, buffers and losses.
"""

import argparse
import json
import sys
import warnings

import torch


def main():
    options = parse()
    sys.path.insert(0, options.directory)
    from models import MODELS

    torch.set_warn_always(True)
    for name in options.names or MODELS:
        told = train(name, options.device, options.steps)
        print(json.dumps({"name": name, "device": options.device, **told}), flush=True)


def parse():
    parser = argparse.ArgumentParser(description="Train the models of benchmarks/cost.")
    parser.add_argument("directory")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=2)
    return parser.parse_args()


def train(name, device, steps):
    from train import Training

    digests, error = [], None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            training = Training(name, device)
            for _ in range(steps):
                training.step()
            digests.append(training.digest())
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    texts = sorted({str(each.message) for each in caught})
    return {"digests": digests, "warnings": texts, "error": error}


if __name__ == "__main__":
    main()
