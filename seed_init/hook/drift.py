# SPDX-License-Identifier: Apache-2.0
"""Say at exit which determinism flags are no longer as they were set at the start.

Lightning, Ultralytics and detectron2 set flags of their own, and some remove variables: the run
was then not what DETERMINISM says.
"""

import atexit
import os

from seed_init.hook import determinism, seeding, switches
from seed_init.hook.settings import CUBLAS, Settings

VARIABLES = (CUBLAS, "PYTHONHASHSEED", *switches.NAMES, switches.NCCL_ALGO)
"""Variables that frameworks are known to remove or to set."""


def watch(settings: Settings) -> None:
    """Compare when this process ends. Called when torch's flags have been set.

    Args:
        settings: what this process was asked to do.
    """
    from seed_init.libraries import torch

    if not determinism.flags(settings):
        return
    torch.follow()
    atexit.register(_report, settings, {name: os.environ.get(name) for name in VARIABLES})


def _report(settings: Settings, variables: dict[str, str | None]) -> None:
    from seed_init.hook import children

    if children.is_main():
        changes = _variables(variables)
        try:
            changes = _flags(settings) + changes
        except Exception as error:  # a torch that cannot be asked any more; the run is over
            seeding.debug(f"the flags at exit are not known: {error}")
        if changes:
            seeding.say(f"at exit {'; '.join(changes)}")


def _flags(settings: Settings) -> list[str]:
    from seed_init.libraries import torch

    now = torch.current()
    return [
        f"{name} is {now[name]}, not {value} ({origin}){_who(torch.set_at.get(name))}"
        for name, (value, origin) in determinism.flags(settings).items()
        if now[name] != value
    ]


def _who(place: str | None) -> str:
    return f", set at {place}" if place else ""


def _variables(before: dict[str, str | None]) -> list[str]:
    now = {name: os.environ.get(name) for name in before}
    return [
        f"{name} was {before[name]} and is {now[name] or 'not set'}"
        for name in before
        if before[name] is not None and now[name] != before[name]
    ]
