# SPDX-License-Identifier: Apache-2.0
"""Say at exit which determinism flags are no longer as they were set at the start.

Lightning, Ultralytics and detectron2 set flags of their own, and some remove variables: the run
was then not what DETERMINISM says.
"""

import atexit
import os

from seed_init.hook import debug, determinism, say, state, switches
from seed_init.hook.settings import CUBLAS, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLES = (CUBLAS, "PYTHONHASHSEED", *switches.NAMES, switches.NCCL_ALGO)
"""Variables that frameworks are known to remove or to set."""

OF_ENGINES = {"PYTHONHASHSEED": ("6640",)}
"""Values that an engine gives a variable for its workers, after this process has read its own.

Dask does so (distributed/nanny.py; dask/multiprocessing.py).
"""


def watch(
    settings: Settings,
    now: "Callable[[], dict[str, str]]",
    source_of: "Callable[[str], str | None]",
    others: "Callable[[], list[str]]" = list,
) -> None:
    """Compare when this process ends. Called when the flags have been set.

    Args:
        settings: what this process was asked to do.
        now: gives the value of each flag at the moment of the call.
        source_of: gives file and line where a flag was changed last; None for not known.
        others: gives what else is no longer as it was set, a text each.
    """
    names = VARIABLES
    if settings.determinism == "portable":
        from seed_init.hook import portability

        names = (*VARIABLES, *portability.NAMES)
    variables = {name: os.environ.get(name) for name in names}
    atexit.register(_report, settings, now, source_of, others, variables)


def _report(
    settings: Settings,
    now: "Callable[[], dict[str, str]]",
    source_of: "Callable[[str], str | None]",
    others: "Callable[[], list[str]]",
    variables: dict[str, str | None],
) -> None:
    if state.is_main():
        changes = _variables(variables)
        try:
            changes = _flags(settings, now(), source_of) + others() + changes
        except Exception as error:  # a torch that cannot be asked any more; the run is over
            debug(f"the flags at exit are not known: {error}")
        if changes:
            say(f"at exit {'; '.join(changes)}")


def _flags(
    settings: Settings, now: dict[str, str], source_of: "Callable[[str], str | None]"
) -> list[str]:
    return [
        f"{name} is {now[name]}, not {value} ({origin}){_who(source_of(name))}"
        for name, (value, origin) in determinism.wanted(settings).items()
        if now[name] != value
    ]


def _who(source: str | None) -> str:
    return f", set at {source}" if source else ""


def _variables(before: dict[str, str | None]) -> list[str]:
    now = {name: os.environ.get(name) for name in before}
    return [
        f"{name} was {before[name]} and is {now[name] or 'not set'}"
        for name in before
        if before[name] is not None and now[name] not in (before[name], *OF_ENGINES.get(name, ()))
    ]
