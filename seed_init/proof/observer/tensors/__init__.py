# SPDX-License-Identifier: Apache-2.0
"""This package turns tensors into numbers, and finds their names and their optimizers."""
