"""The closer look at one step: batches, draws, modules and operators."""
