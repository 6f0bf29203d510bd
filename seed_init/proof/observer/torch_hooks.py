# SPDX-License-Identifier: Apache-2.0
"""This module helps functions of ours that PyTorch calls. Import it after torch only."""

from typing import Any

import torch


def unless_compiling(hook: Any) -> Any:
    """Return a hook that does nothing, and breaks no graph, while Dynamo compiles.

    Args:
        hook: a function that PyTorch is to call.
    """

    def outside(*arguments: Any) -> None:
        # Dynamo takes this for a constant, and nothing of us gets into its graph.
        if torch.compiler.is_compiling():
            return
        hook(*arguments)

    return outside


def readable_twice(roots: Any) -> Any:
    """Return the roots of a backward pass as given, or as a tuple where they are an iterator.

    An iterator is empty after the first look, and backward() would get nothing.

    Args:
        roots: the first argument of `torch.autograd.backward`.
    """
    return roots if isinstance(roots, (torch.Tensor, tuple, list)) else tuple(roots)
