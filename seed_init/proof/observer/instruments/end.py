# SPDX-License-Identifier: Apache-2.0
"""How a process ends: where its generators stand, and the SHA-256 of its final parameters.

There is no hook in a training step here: the parameters are looked at when their optimizer goes, or
at exit. So a run with this instrument alone shows whether the other ones change a program.
"""

import os
import sys
import weakref
from hashlib import sha256
from typing import Any

from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.tensors import generators

MOST = 4 << 30
"""Bytes of parameters that are hashed; of more, their fingerprints, which need no copy."""

_final: list[dict[str, Any]] = []


def start() -> None:
    """Wait for optimizers, and for the end."""
    callbacks.after_import("torch", install)
    callbacks.at_end(finish)


def install() -> None:
    """Be told of every optimizer that is made."""
    from seed_init.proof.observer.tensors import optimizers

    os.register_at_fork(after_in_child=_final.clear)
    optimizers.watch(core.guarded(_made))


def _made(optimizer: Any) -> None:
    from seed_init.proof.observer.tensors import optimizers
    from seed_init.proof.observer.tensors.fingerprints import undisturbed

    # Its own list of groups, which it holds anyway and which those added later join: so what is
    # in them lives no longer than it would.
    weakref.finalize(
        optimizer,
        core.guarded(undisturbed(_gone)),
        os.getpid(),
        optimizers.number(optimizer),
        optimizer.param_groups,
    )


def _gone(pid: int, number: int, groups: list[Any]) -> None:
    if os.getpid() != pid:
        return  # a worker's copy of it
    from seed_init.proof.observer.tensors.fingerprints import is_fake, wait_for

    parameters = [each for group in groups for each in group["params"]]
    wait_for(parameters)
    size = sum(each.numel() * each.element_size() for each in parameters if not is_fake(each))
    digest = _sha256 if size <= MOST else _fingerprint
    digests = []
    for each in parameters:
        try:
            digests.append(digest(each))
        except Exception as error:
            core.report_unreadable(each, error)
            digests.append("")
    _final.append({"optimizer": number, "digests": digests})


def _sha256(tensor: Any) -> str:
    from seed_init.proof.observer.tensors.fingerprints import _parts, _whole, is_fake, shape_of

    content = sha256(f"{tensor.dtype} {shape_of(tensor)}".encode())
    if not is_fake(tensor):
        for part in _parts(_whole(tensor)[0]):
            _update(content, part)
    return content.hexdigest()


def _update(content: Any, part: Any) -> None:
    """Hash the bytes of a flat tensor. Not by its numpy(): there may be no NumPy."""
    import ctypes

    here = part.cpu()  # with a name while it is read, because its memory goes with it
    size = here.numel() * here.element_size()
    if size:
        content.update((ctypes.c_char * size).from_address(here.data_ptr()))


def _fingerprint(tensor: Any) -> str:
    from seed_init.proof.observer.tensors.fingerprints import is_fake, number

    return "" if is_fake(tensor) else f"{number(tensor):016x}"


def finish() -> None:
    """Write the end."""
    final = sorted(_final, key=lambda each: each["optimizer"])
    core.journal.write(
        "end", generators=generators.positions(), final=final, compiled=_is_compiled()
    )


def _is_compiled() -> bool:
    """Whether torch.compile has compiled something here (torch/_dynamo/utils.py, counters)."""
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    return bool(dynamo is not None and dynamo.counters["stats"].get("unique_graphs"))
