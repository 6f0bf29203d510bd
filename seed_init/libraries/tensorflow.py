# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's global seed, from which its operators and tf.data take theirs."""

import random
import sys

from seed_init.hook import callers, reseeding, unseeded
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_set: "Callable[[int], None] | None" = None  # tf.random.set_seed itself


class TensorFlow(Library):
    """TensorFlow's global seed, and the generators made without one."""

    def seed(self, value: int) -> None:
        """Set the global seed, as `tf.random.set_seed` does; no device is started.

        Args:
            value: 0...4294967295.
        """
        (_set or sys.modules["tensorflow"].random.set_seed)(value)

    def seed_in_fork(self, value: int) -> bool:
        """As `seed`, without the cache of compiled kernels, which another thread may hold locked.

        Kernels are cached by their seeds: those of this process are others than its parent's.
        """
        context: Any = sys.modules["tensorflow.python.eager.context"].context()
        context._seed, context._rng = value, random.Random(value)
        return True

    def watch(self) -> None:
        """Have the functions that seed ask us, and generators that are made without a seed."""
        global _set
        if _set is not None:
            return
        modules: Any = sys.modules
        stateful = modules["tensorflow.python.ops.stateful_random_ops"]
        drawn, numpy = stateful.non_deterministic_ints, modules["numpy"]
        _set = modules["tensorflow.python.framework.random_seed"].set_seed
        asking = reseeding.asking("tensorflow.random.set_seed", _set)

        @callers.like(drawn)
        def non_deterministic_ints(shape: "Any", dtype: "Any" = stateful.SEED_TYPE) -> "Any":
            frame = callers.caller("tensorflow", "keras")
            what = "tf.random.Generator.from_non_deterministic_state()"
            known = isinstance(shape, (int, list, tuple)) and dtype in ("int64", stateful.SEED_TYPE)
            value = unseeded.entropy("tensorflow", what, frame) if known else None
            if value is None:
                return drawn(shape, dtype)
            numbers = numpy.random.default_rng(value).integers(-(2**63), 2**63 - 1, shape)
            return modules["tensorflow"].constant(numbers, dtype)

        stateful.non_deterministic_ints = non_deterministic_ints
        for module in list(modules.values()):
            # By its dictionary: to ask a lazy module for an attribute would import it.
            if isinstance(module, type(sys)) and vars(module).get("set_seed") is _set:
                module.set_seed = asking  # type: ignore[attr-defined]


library = TensorFlow()
