# SPDX-License-Identifier: Apache-2.0
"""PyTorch's operators, forward and backward: a digest for each of their outputs and gradients.

python -m benchmarks.portability.census FILE --inputs FOLDER [--seconds N] [--all] [--only TEXT]
python -m benchmarks.portability.census --make-inputs FOLDER

Inputs are those of PyTorch's own tests (`op_db`) and larger ones (`larger`). The former are made
with operators, so one machine makes them and the others load them: what differs then is the
operator itself. Imports torch.
"""

import argparse
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.portability import digests, larger, results

KINDS = (torch.float32, torch.float64, torch.complex64, torch.bfloat16)

MOST_SAMPLES = 24
"""How many of an operator's samples are kept, and computed with --all."""

FEW = (0, 1, 2, 5, 9, 14, 20)
"""Which of them are computed without."""

LEFT_OUT = re.compile(r"(new_)?empty(_like|_strided|_permuted)?|resize_|resize_as_|jiterator_.*")
"""Operators whose result is whatever the memory held before, and those of CUDA only."""

Sample = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""An operator's input, its other arguments, and its keywords."""


def operators() -> Iterator[tuple[str, Any, torch.dtype]]:
    """The operators of PyTorch's own tests: a name for the case, the operator, and the type."""
    from torch.testing._internal.common_methods_invocations import op_db

    for op in op_db:
        if LEFT_OUT.fullmatch(op.name):
            continue
        name = op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")
        for kind in KINDS:
            if kind in op.dtypes:
                yield f"{name} {str(kind)[6:]}", op, kind


def make_inputs(folder: Path) -> None:
    """Make the inputs of every operator, where they are not there yet.

    What cannot be saved is left out, and `samples` makes that anew on each machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, op, kind in operators():
        path = file_of(folder, name)
        if not path.exists():
            try:
                torch.save(make_samples(op, kind), path.with_suffix(".new"))
            except Exception:
                torch.save(None, path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)


def file_of(folder: Path, name: str) -> Path:
    return folder / (re.sub(r"\W", "_", name) + ".pt")


def make_samples(op: Any, kind: torch.dtype) -> list[Sample]:
    seed()
    made = op.sample_inputs("cpu", kind, requires_grad=op.supports_autograd)
    chosen = islice(made, MOST_SAMPLES)
    return [(each.input, tuple(each.args), dict(each.kwargs)) for each in chosen]


def seed() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


def samples(folder: Path, name: str, op: Any, kind: torch.dtype) -> tuple[list[Sample], bool]:
    """The samples of an operator, and whether they are those that every machine has."""
    kept = torch.load(file_of(folder, name), weights_only=False)
    return (make_samples(op, kind), False) if kept is None else (kept, True)


def cases(folder: Path, is_all: bool, only: str) -> Iterator[tuple[str, results.Case]]:
    """Every case whose name has `only` in it."""
    for name, op, kind in operators():
        if only in name:
            yield f"op {name}", partial(operator, folder, name, op, kind, is_all)
    for name, run in larger.cases():
        if only in name:
            yield name, partial(computed, run)


def operator(folder: Path, name: str, op: Any, kind: torch.dtype, is_all: bool) -> results.Digests:
    """The digests of an operator's samples: "NUMBER.forward" and "NUMBER.backward"."""
    try:
        found, is_shared = samples(folder, name, op, kind)
    except Exception as error:
        return {"samples": results.ERROR + type(error).__name__}
    told: results.Digests = {}
    for number, (first, rest, keywords) in enumerate(found):
        if not is_all and number not in FEW:
            continue
        if not is_shared:
            told[f"{number}.inputs"] = digests.of(list(larger.tensors((first, rest, keywords))))
        call = partial(larger.both_ways, op.op, *copied((first, *rest)), **copied(keywords))
        for part, digest in computed(call).items():
            told[f"{number}.{part}"] = digest
    return told


def copied(value: Any) -> Any:
    """A copy, because some operators write into their input."""
    if isinstance(value, torch.Tensor):
        try:
            return value.detach().clone().requires_grad_(value.requires_grad)
        except RuntimeError:
            return value
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(each) for each in value)
    return value


def computed(run: Callable[[], Any]) -> results.Digests:
    """The digests of what a case computes."""
    torch.manual_seed(0)
    return results.compute(run, by_part)


def by_part(made: dict[str, Any]) -> results.Digests:
    return {
        part: results.ERROR + type(value).__name__
        if isinstance(value, Exception)
        else digests.of(list(larger.tensors(value)))
        for part, value in made.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--make-inputs", type=Path)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--all", action="store_true", help="all samples of each operator")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--what", default="census")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.make_inputs:
        make_inputs(options.make_inputs)
        return 0
    if not options.file or not options.inputs:
        parser.error("FILE and --inputs are needed, or --make-inputs")
    chosen = cases(options.inputs, options.all, options.only)
    return results.run(options.what, results.File(options.file), chosen, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
