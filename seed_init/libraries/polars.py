# SPDX-License-Identifier: Apache-2.0
"""Polars, whose sampling and shuffling take their seeds from one generator in Rust.

To seed that generator starts no thread pool.
"""

from seed_init.libraries.one_call import OneCall

library = OneCall("polars", "set_random_seed")
