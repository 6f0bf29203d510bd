# SPDX-License-Identifier: Apache-2.0
"""Can torch use a GPU, and what stands in the way?

`probe` is a program that asks torch and knows nothing of the rest; `asking` runs it in a process of
its own; `capabilities` has CUDA's rules of what code runs where; `causes` looks for what is in the
way where torch can use no device; `judging` puts it into words.
"""
