# SPDX-License-Identifier: Apache-2.0
"""Find out whether torch can use a GPU, and if not, why.

`probe` is a program that asks torch and imports nothing of this package. `asking` runs the probe in
a process of its own. `capabilities` has CUDA's rules of what code runs on which device. `causes`
finds out why torch can use no device. `judging` puts the result into words.
"""
