"""Tensors as numbers: fingerprints, their names, and the optimizers that own them."""
