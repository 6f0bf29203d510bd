# SPDX-License-Identifier: Apache-2.0
"""The C library's `rand`, from which compiled extensions draw: Pillow's noise and spread.

Nobody seeds it, so it starts from a constant (srand(3)), and forked children repeat each other.
"""

import ctypes

from seed_init.libraries import Library

_srand = ctypes.CDLL(None).srand
_srand.argtypes, _srand.restype = [ctypes.c_uint], None


class C(Library):
    """The generator of the C library."""

    def seed(self, value: int) -> None:
        """Seed the process's generator, as `srand` does.

        Args:
            value: 0...4294967295. glibc takes 0 for 1 (stdlib/random_r.c, __srandom_r).
        """
        _srand(value)


library = C()
