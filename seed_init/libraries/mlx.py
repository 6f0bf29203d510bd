# SPDX-License-Identifier: Apache-2.0
"""MLX, whose functions draw from one sequence of keys where they are given none."""

from seed_init.libraries.one_call import OneCall

library = OneCall("mlx.core", "random.seed")
