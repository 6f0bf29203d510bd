# SPDX-License-Identifier: Apache-2.0
"""Source that an interpreter with torch runs: digests of the files that torch.load can read.

A process of its own, so that torch is not imported into the command. stdin: JSON list of paths;
stdout: JSON object of path -> entry -> digest, as `contents` describes them, without the files
that torch refuses.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any


def environment() -> dict[str, str]:
    """What this is started with: nothing to seed, to observe or to run on a GPU."""
    asked = ("SEED_INIT_TRACE", "SEED_INIT_RECORD")
    kept = {name: value for name, value in os.environ.items() if name not in asked}
    return kept | {"SEED_INIT": "0", "CUDA_VISIBLE_DEVICES": ""}


def read(torch: Any, path: str) -> dict[str, str]:
    """The digests of one file.

    Raises:
        Exception: torch does not read it, or something in it has no digest.
    """
    try:
        # Not into memory: checkpoints are large. Needs torch's zip format.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:
        content = torch.load(path, map_location="cpu", weights_only=True)
    digests: dict[str, str] = {}
    for name, leaf in leaves(content, ""):
        # {"a.b": 1, "a": {"b": 2}}
        while name in digests:
            name += "'"
        digests[name] = digest(torch, leaf)
    return digests


def leaves(content: Any, name: str) -> "Iterator[tuple[str, Any]]":
    """What is in nested dicts and lists, each with its keys joined by dots."""
    before = f"{name}." if name else ""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from leaves(value, f"{before}{key}")
    elif type(content) in (list, tuple) and content:
        for index, value in enumerate(content):
            yield from leaves(value, f"{before}{index}")
    else:
        yield name, content


def digest(torch: Any, leaf: Any) -> str:
    """Kind, type, shape and SHA-256 of a tensor or a value.

    Raises:
        TypeError: a value whose text may differ from process to process.
    """
    hasher = hashlib.sha256()
    if isinstance(leaf, torch.Tensor):
        for part in parts(torch, leaf):
            update(torch, hasher, part)
        kind = str(leaf.dtype).removeprefix("torch.")
        if leaf.layout is not torch.strided:
            kind += f"/{str(leaf.layout).removeprefix('torch.')}"
        shape = ",".join(map(str, leaf.shape))
        return f"tensor {kind} [{shape}] {hasher.hexdigest()}"
    is_set = isinstance(leaf, (set, frozenset))
    text = repr(sorted(map(repr, leaf))) if is_set else repr(leaf)
    if " at 0x" in text:
        raise TypeError(f"{type(leaf)} has no text of its content")
    if len(text) > 80:
        hasher.update(text.encode(errors="backslashreplace"))
        text = hasher.hexdigest()
    return f"value {type(leaf).__name__} [] {text}"


def parts(torch: Any, tensor: Any) -> "Iterator[Any]":
    """The dense tensors that hold a tensor's values."""
    if tensor.is_quantized:
        if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            yield torch.tensor([tensor.q_scale(), tensor.q_zero_point()], dtype=torch.float64)
        else:
            yield from (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
        yield tensor.int_repr()
    elif tensor.layout is torch.sparse_coo:
        whole = tensor.coalesce()
        yield from (whole.indices(), whole.values())
    elif tensor.layout is torch.strided:
        yield tensor
    elif hasattr(tensor, "crow_indices") and tensor.layout in (
        torch.sparse_csr,
        torch.sparse_bsr,
    ):
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    else:
        yield from (tensor.ccol_indices(), tensor.row_indices(), tensor.values())


def update(torch: Any, hasher: Any, tensor: Any) -> None:
    """Hash the bytes of a tensor, in the order of its elements.

    By its address and not through NumPy, which torch may be installed without, and which has no
    bfloat16.
    """
    import ctypes

    dense = tensor.detach().resolve_conj().resolve_neg().contiguous()
    size = dense.numel() * dense.element_size()
    if size:
        hasher.update((ctypes.c_char * size).from_address(dense.data_ptr()))


def main() -> None:
    """Read what stdin names; say what was read."""
    # What torch prints belongs to nobody.
    answer = os.dup(1)
    os.dup2(2, 1)
    import torch

    digests = {}
    for path in json.load(sys.stdin):
        try:
            digests[path] = read(torch, path)
        except Exception:
            continue
    with open(answer, "w") as stream:  # noqa: PTH123
        json.dump(digests, stream)


if __name__ == "__main__":
    main()
