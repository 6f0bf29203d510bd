"""Polars, whose sampling and shuffling take their seeds from one generator in Rust."""

import sys

from seed_init import reseeding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_set: "Callable[[int], None] | None" = None  # polars.set_random_seed itself


def seed(value: int) -> None:
    """Seed the process's generator, as `polars.set_random_seed` does; no thread pool is started.

    Args:
        value: 0...4294967295.
    """
    (_set or sys.modules["polars"].set_random_seed)(value)


def watch() -> None:
    """Have `polars.set_random_seed` ask us."""
    global _set
    if _set is None:
        polars: Any = sys.modules["polars"]
        _set = polars.set_random_seed
        polars.set_random_seed = reseeding.asking("polars.set_random_seed", _set)
