"""The standard library's `random`."""

import random


def seed(value: int) -> None:
    """Seed the generator behind the functions of `random`.

    Args:
        value: 0...4294967295.
    """
    random.seed(value)


def hold(others_draw: bool) -> bool:
    """Nothing to take before a fork: the interpreter's own lock guards this generator."""
    return True


def release() -> None:
    """Nothing was taken."""
