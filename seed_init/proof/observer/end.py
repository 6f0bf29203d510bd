"""How a process ends: where its generators stand, and the SHA-256 of its final parameters.

There is no hook in a training step here: the parameters are looked at when their optimizer goes, or
at exit. So a run with this instrument alone shows whether the other ones change a program.
"""

import os
import sys
import weakref
from hashlib import sha256
from typing import Any

from seed_init.proof import observer
from seed_init.proof.observer import generators

MOST = 4 << 30
"""Bytes of parameters that are hashed; of more, their fingerprints, which need no copy."""

_final: list[dict[str, Any]] = []
_pid = 0


def start() -> None:
    """Wait for optimizers, and for the end."""
    observer.after_import("torch", install)
    observer.at_end(finish)


def install() -> None:
    """Be told of every optimizer that is made."""
    from seed_init.proof.observer import optimizers

    global _pid
    _pid = os.getpid()
    optimizers.watch(observer.guarded(_made))


def _made(optimizer: Any) -> None:
    from seed_init.proof.observer import optimizers

    # The optimizer holds them anyway; holding them here makes them live no longer than it does.
    weakref.finalize(
        optimizer,
        observer.guarded(_gone),
        optimizers.number(optimizer),
        optimizers.parameters(optimizer),
    )


def _gone(number: int, parameters: list[Any]) -> None:
    if os.getpid() != _pid:
        return  # a worker's copy of it
    size = sum(each.numel() * each.element_size() for each in parameters)
    digest = _sha256 if size <= MOST else _fingerprint
    _final.append({"optimizer": number, "digests": [digest(each) for each in parameters]})


def _sha256(tensor: Any) -> str:
    import torch

    from seed_init.proof.observer.fingerprints import _parts, _whole

    with torch.no_grad():
        content = sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        for part in _parts(_whole(tensor.detach())[0]):
            content.update(_bytes(part.cpu()))
    return content.hexdigest()


def _bytes(lanes: Any) -> Any:
    """The memory of a flat tensor. Not its numpy(): there may be no NumPy."""
    import ctypes

    size = lanes.numel() * lanes.element_size()
    return (ctypes.c_char * size).from_address(lanes.data_ptr()) if size else b""


def _fingerprint(tensor: Any) -> str:
    import torch

    from seed_init.proof.observer.fingerprints import fingerprint

    out = torch.empty((), dtype=torch.int64, device=tensor.device)
    fingerprint(tensor, out)
    return f"{int(out) & 2**64 - 1:016x}"


def finish() -> None:
    """Write the end."""
    final = sorted(_final, key=lambda each: each["optimizer"])
    observer.journal.write(
        "end", generators=generators.positions(), final=final, compiled=_is_compiled()
    )


def _is_compiled() -> bool:
    """Whether torch.compile has compiled something here (torch/_dynamo/utils.py, counters)."""
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    return bool(dynamo is not None and dynamo.counters["stats"].get("unique_graphs"))
