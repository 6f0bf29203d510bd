# SPDX-License-Identifier: Apache-2.0
"""Tensors as numbers: fingerprints, their names, and the optimizers that own them."""
