"""Train the models of benchmarks/cost for a few steps each; one line of JSON for each.

    train_models.py DIRECTORY --device cuda --steps 5 resnet gnn

DIRECTORY is that of the models' train.py, which is run as it is. Without names it trains all. The
lines have what those of launch.py have, with one digest: of the parameters, buffers and losses.
"""

import argparse
import contextlib
import io
import json
import runpy
import sys
import warnings

import torch


def main():
    options = parse()
    sys.path.insert(0, options.directory)
    from models import MODELS

    torch.set_warn_always(True)
    for name in options.names or MODELS:
        told = train(options.directory, name, options.device, options.steps)
        print(json.dumps({"name": name, "device": options.device, **told}), flush=True)


def parse():
    parser = argparse.ArgumentParser(description="Train the models of benchmarks/cost.")
    parser.add_argument("directory")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=2)
    return parser.parse_args()


def train(directory, name, device, steps):
    digests, error, printed = [], None, io.StringIO()
    sys.argv = ["train.py", name, "--device", device, "--warmup", "0", "--steps", str(steps)]
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            runpy.run_path(f"{directory}/train.py", run_name="__main__")
            digests.append(json.loads(printed.getvalue().splitlines()[-1])["digest"])
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    texts = sorted({str(each.message) for each in caught})
    return {"digests": digests, "warnings": texts, "error": error}


if __name__ == "__main__":
    main()
