# SPDX-License-Identifier: Apache-2.0
"""This half of the instrument `end` needs torch: it digests the final parameters."""

import os
import sys
import weakref
from hashlib import sha256
from typing import Any

from seed_init.proof.observer import core, units
from seed_init.proof.observer.tensors import dense, optimizers
from seed_init.proof.observer.tensors.fingerprints import (
    number,
    undisturbed,
    wait_for,
)

MOST = 4 << 30
"""Bytes of parameters that are hashed; of more, their fingerprints, which need no copy."""

_final: list[dict[str, Any]] = []


def install() -> None:
    """Wait for the end of every optimizer that is made."""
    os.register_at_fork(after_in_child=_final.clear)
    optimizers.watch(core.guarded(_watch_end))


def _watch_end(optimizer: Any) -> None:
    # Its own list of groups, which it holds anyway and which those added later join: so what is
    # in them lives no longer than it would.
    weakref.finalize(
        optimizer,
        core.guarded(undisturbed(_gone)),
        os.getpid(),
        optimizers.number(optimizer),
        units.number(),
        optimizer.param_groups,
    )


def _gone(pid: int, number: int, unit: int | None, groups: list[Any]) -> None:
    if os.getpid() != pid:
        return  # a worker's copy of it
    parameters = [parameter for group in groups for parameter in group["params"]]
    wait_for(parameters)
    size = sum(
        parameter.numel() * parameter.element_size()
        for parameter in parameters
        if not dense.is_fake(parameter)
    )
    digest = sha256_of if size <= MOST else _fingerprint
    digests = []
    for parameter in parameters:
        try:
            digests.append(digest(parameter))
        except Exception as error:
            core.report_unreadable(parameter, error)
            digests.append("")
    of_unit = {} if unit is None else {"unit": unit}
    _final.append({"optimizer": number, "digests": digests, **of_unit})


def sha256_of(tensor: Any) -> str:
    content = sha256(f"{tensor.dtype} {dense.shape_of(tensor)}".encode())
    if not dense.is_fake(tensor):
        for part in dense.parts(dense.local(tensor)[0]):
            dense.hash_bytes(content, part)
    return content.hexdigest()


def _fingerprint(tensor: Any) -> str:
    return "" if dense.is_fake(tensor) else f"{number(tensor):016x}"


def take_final(unit: int) -> list[dict[str, Any]]:
    """Return, once, what `final` does of the optimizers that a unit of work has made."""
    taken = [entry for entry in final() if entry.get("unit") == unit]
    _final[:] = [entry for entry in _final if entry.get("unit") != unit]
    return taken


def final() -> list[dict[str, Any]]:
    """Return the digests of the parameters of each optimizer that is gone, in order of creation."""
    return sorted(_final, key=lambda entry: entry["optimizer"])


def is_compiled() -> bool:
    """Return whether torch.compile has compiled something (torch/_dynamo/utils.py, counters)."""
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    return bool(dynamo is not None and dynamo.counters["stats"].get("unique_graphs"))
