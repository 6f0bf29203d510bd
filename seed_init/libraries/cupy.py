# SPDX-License-Identifier: Apache-2.0
"""CuPy, which reads the seed of each device's generator from CUPY_SEED when it first draws."""

import os
import sys

from seed_init.libraries import Library

BY_US = "SEED_INIT_CUPY_SEED"
"""Set beside CUPY_SEED by this module, so that workers, which inherit both, can tell."""


class CuPy(Library):
    """CuPy's generators, one for each device."""

    def seed(self, value: int) -> None:
        """Have every device's generator start from `value`, unless the user has set CUPY_SEED.

        `cupy.random.seed` would do it for the current device only, and would start CUDA in a
        process that may only have imported CuPy. So the variable is set, and the generators that
        exist are dropped: each is made anew when it is drawn from (cupy/random/_generator.py,
        get_random_state).

        Args:
            value: 0...4294967295.
        """
        if os.environ.get("CUPY_SEED") != os.environ.get(BY_US):
            return
        os.environ["CUPY_SEED"] = os.environ[BY_US] = str(value)
        sys.modules["cupy.random._generator"].reset_states()


library = CuPy()
