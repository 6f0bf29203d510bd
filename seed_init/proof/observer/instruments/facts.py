# SPDX-License-Identifier: Apache-2.0
"""The instrument `facts` writes what only the process itself knows: versions, flags, seeds.

Four events, {"event": "facts", "moment": ...}:

- "start": the interpreter, the settings, the variables. Before user code.
- "torch": torch's versions and flags, right after its first import.
- "cuda": the versions of CUDA's libraries and the GPUs, where CUDA has started: in any process, as
  workers use them too.
- "end": what was seeded and with what, the flags and the numbers of threads that held at last, the
  versions of the libraries that use these threads.
"""

import os
import sys
from typing import Any

from seed_init.hook import state, status
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.redaction import redaction

MODULES_MOST = 500
"""User modules that are named at the end; a program that generates its code could have any."""

_script = ""


def start() -> None:
    """Write the first facts, and wait for torch and for the end."""
    global _script
    kind, name = user_code.program()
    _script = os.path.abspath(name) if kind == "script" else ""  # noqa: PTH100
    core.journal.write("facts", moment="start", **_at_start())
    callbacks.after_import("torch", f"{__name__}_torch.install")
    callbacks.at_end(_end)


def _at_start() -> dict[str, Any]:
    settings = state.settings
    rows = [] if settings.is_off else status.settings_in_order(settings)
    return {
        "main": state.is_main(),
        "cwd": os.getcwd(),  # noqa: PTH109  no Path is needed
        "python": _python(),
        "environment": environment(),
        "settings": [{"name": n, "value": v, "origin": o} for n, v, o in rows],
    }


def path() -> list[str]:
    """Return the directories of sys.path."""
    return [entry for entry in sys.path if entry]


def environment() -> dict[str, str]:
    """Return the variables of the environment, without secrets."""
    return redaction.variables(os.environ)


def _python() -> dict[str, Any]:
    return {
        "version": sys.version.partition(" ")[0],
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "hash_seed": os.environ.get("PYTHONHASHSEED") if status.hash_order_is_fixed() else None,
        "path": path(),
    }


def _end() -> None:
    if not state.is_main():
        return
    fields: dict[str, Any] = {"moment": "end", "modules": _modules(), "seeds": _seeds()}
    fields["path"] = path()
    fields["environment"] = environment()
    half: Any = callbacks.loaded(f"{__name__}_torch")
    if half is not None:
        fields |= half.at_end()
    # An uncaught exception stays here when it has been printed; SystemExit leaves nothing.
    raised = getattr(sys, "last_value", None)
    fields["raised"] = type(raised).__name__ if raised is not None else None
    core.journal.write("facts", **fields)


def _seeds() -> dict[str, Any]:
    """Return what seeded this process: see `seed_init.status`."""
    report = status.status()
    kept = ("seed", "restart", "path", "seeded", "unseeded", "reseeded", "not_covered")
    return {name: report[name] for name in kept}


def _modules() -> list[str]:
    """Return the files of the user's own modules that were imported."""
    files = [getattr(module, "__file__", None) for module in _modules_of_others()]
    if _script:
        files.append(_script)  # Python takes __main__.__file__ away before it exits
    own = {
        os.path.abspath(file)  # noqa: PTH100
        for file in files
        if isinstance(file, str) and user_code.is_user_file(file)
    }
    # torch has modules whose file is a mere name.
    return [file for file in sorted(own) if os.path.isfile(file)][:MODULES_MOST]  # noqa: PTH113


def _modules_of_others() -> list[Any]:
    ours = ("seed_init", "_seed_init_startup", "sitecustomize")
    modules = list(sys.modules.items())
    return [module for name, module in modules if name.partition(".")[0] not in ours]
