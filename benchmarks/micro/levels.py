"""Levels of DETERMINISM put into effect in a running process, by the flags that the hook sets."""

import os
from collections.abc import Callable

import torch

from seed_init.hook.determinism import LEVELS
from seed_init.libraries import torch_flags
from seed_init.proof.cost.choices import DEFAULTS


def level(name: str, **overrides: str) -> Callable[[], None]:
    """A function that puts a level with some of its flags changed into effect.

    Args:
        name: "off", "fast", "warn" or "strict".
        overrides: variable of the contract to value.
    """
    flags = DEFAULTS | LEVELS[name] | overrides

    def put() -> None:
        for variable, value in flags.items():
            torch_flags.put(variable, value)

    return put


def describe() -> str:
    """One line: torch, the instructions that it uses, and what else the machine is doing."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    busy = "; times with several threads mean little" if load > cores / 2 else ""
    return (
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, "
        f"load {load:.1f} on {cores} cores{busy}"
    )
