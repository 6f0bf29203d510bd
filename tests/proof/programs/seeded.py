"""Gives seeds in every way, and draws from what has none; prints what was drawn."""

import copy
import random
import sys

import numpy as np


def main() -> None:
    drawn = [random.Random().random(), np.random.default_rng().random()]
    drawn.append(np.random.RandomState().rand())
    drawn.append(copy.deepcopy(np.random.default_rng()).random())
    random.seed()
    drawn.append(random.random())
    np.random.seed(None)
    drawn.append(np.random.rand())
    drawn.append(random.Random(1).random())
    random.seed(2)
    drawn.append(np.random.default_rng(3).random())
    drawn.append(np.random.default_rng([4, 5]).random())
    drawn.append(np.random.default_rng((4, 6)).random())
    drawn.append(np.random.RandomState(6).rand())
    np.random.seed(7)
    drawn.append(np.random.Generator(np.random.Philox(8)).random())
    drawn.append(np.random.default_rng(np.random.SeedSequence(9).spawn(1)[0]).random())
    drawn.append(random.Random("ten").random())
    if "torch" in sys.argv:
        import torch

        torch.manual_seed(11)
        torch.Generator().manual_seed(12)
        torch.Generator().seed()
    print(drawn)


main()
