# SPDX-License-Identifier: Apache-2.0
"""Whole programs: trainings with PyTorch, and what other libraries compute; a digest for each part.

python -m benchmarks.portability.programs FILE [--seconds N] [--only BEGINNING]
"""

import argparse
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.portability import digests, results

SEED = 7


def cases(only: str) -> Iterator[tuple[str, results.Case]]:
    """Every case whose name begins with `only`."""
    for name, case in (*trainings(), *functions()):
        if name.startswith(only):
            yield name, case


def trainings() -> Iterator[tuple[str, results.Case]]:
    from harness.trainings import TRAININGS

    for name, training in TRAININGS.items():
        yield f"torch.{name}", lambda t=training: results.compute(seeded(t), dict)  # type: ignore[misc]


def seeded(training: Callable[[], dict[str, str]]) -> Callable[[], dict[str, str]]:
    """Seed before a training: without the hook nobody else does."""

    def run() -> dict[str, str]:
        import numpy as np
        import torch

        random.seed(SEED)
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        return training()

    return run


def functions() -> Iterator[tuple[str, results.Case]]:
    from benchmarks.portability.functions import GROUPS

    for group, made in GROUPS.items():
        try:
            for name, function in made():
                yield name, lambda f=function: results.compute(f, one_digest)  # type: ignore[misc]
        except ImportError as error:
            reason = {"": f"{results.ERROR}{type(error).__name__}"}
            yield group, lambda r=reason: r  # type: ignore[misc]


def one_digest(value: object) -> results.Digests:
    return {"": digests.of(value)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--only", default="", metavar="BEGINNING")
    parser.add_argument("--what", default="programs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    file = results.File(options.file)
    return results.run(options.what, file, cases(options.only), options.seconds)


if __name__ == "__main__":
    sys.exit(main())
