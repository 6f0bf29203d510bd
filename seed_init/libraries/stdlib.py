"""The standard library's `random`."""

import random


def seed(value: int) -> None:
    """Seed the generator behind the functions of `random`.

    Args:
        value: 0...4294967295.
    """
    random.seed(value)
