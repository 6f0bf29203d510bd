# SPDX-License-Identifier: Apache-2.0
"""This module starts observing: it reads the plan and loads the instruments that the plan names."""

import atexit
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from seed_init.hook.refusals import Refusal, shown
from seed_init.proof.observer import callbacks, core, owner, user_code
from seed_init.proof.trace import journal

INSTRUMENTS = "seed_init.proof.observer.instruments"


def start(values: dict[str, str]) -> None:
    """Start observing. The start-up file calls this before user code runs.

    Args:
        values: of the variables, with SEED_INIT_TRACE or SEED_INIT_RECORD among them. The trace
            directory is made where it is missing.

    Raises:
        Refusal: the trace directory or the record cannot be written.
    """
    if _is_own_command():
        return
    directory, record = values.get("SEED_INIT_TRACE"), None
    if "SEED_INIT_RECORD" in values and not owner.is_elsewhere():
        record = owner.begin(values["SEED_INIT_RECORD"], directory)
        directory = str(record.parts)
    elif owner.is_elsewhere() and not (directory and Path(directory).is_dir()):
        return  # the run is over, and this process has outlived it
    assert directory is not None
    try:
        trace = Path(directory).absolute()
        trace.mkdir(parents=True, exist_ok=True)
        plan = journal.read_plan(trace)
        starts = [_start_of(name) for name in plan["instruments"]]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Refusal(
            f"SEED_INIT_TRACE={shown(directory, 200)} cannot be used ({reason}); "
            "give a directory that can be written, or unset it"
        ) from None
    # Children may have another working directory.
    os.environ["SEED_INIT_TRACE"] = str(trace)
    core.begin(plan, journal.Journal(trace))
    atexit.register(callbacks.run_at_end)
    if record is not None:
        callbacks.after_all(record.finish)
        owner.at_sigterm(callbacks.run_at_end)
    for start_instrument in starts:
        core.guarded(start_instrument)()


def _start_of(name: str) -> Callable[[], None]:
    """Return the function that starts an instrument.

    Raises:
        ValueError: there is no such instrument.
    """
    unknown = ValueError(f"its plan.json names {shown(name)}, which is no instrument")
    # The half of an instrument that needs torch is none by itself, and would import torch.
    if not name.isidentifier() or name.endswith("_torch"):
        raise unknown
    try:
        found: Callable[[], None] = import_module(f"{INSTRUMENTS}.{name}").start
    except ModuleNotFoundError as error:
        if error.name != f"{INSTRUMENTS}.{name}":
            raise
        raise unknown from None
    return found


def _is_own_command() -> bool:
    """Return True in the `seed-init` command itself, which must not be traced."""
    kind, name = user_code.program()
    if kind == "module":
        return name.partition(".")[0] == "seed_init"
    return kind == "script" and Path(name).name in ("seed-init", "seed_init")
