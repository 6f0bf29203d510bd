# SPDX-License-Identifier: Apache-2.0
"""This module calls what the instruments register: after a library's import, and at the end."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from seed_init.hook import seeding
from seed_init.proof.observer import core

Call = Callable[[], None] | str
"""A function, or a text "package.module.function" for one whose module needs torch."""

_at_end: list[Callable[[], None]] = []
_after_all: list[Callable[[int | None], None]] = []


def after_import(library: str, call: Call) -> None:
    """Register what is to be called when a library has been imported and seeded.

    Args:
        library: a key of `startup.LIBRARIES`.
        call: the function, called at once where the library is there already. The module in a
            text is imported then, and not before: torch may not be there to be found at start-up,
            while `site` still reads .pth files, and a program that never imports torch must not
            get it from us.
    """
    safe = core.guarded(_loading(call) if isinstance(call, str) else call)
    seeding.after_import.setdefault(library, []).append(safe)
    if library in dict(seeding.imported_libraries()):
        safe()


def at_end(call: Call) -> None:
    """Register what is to be called when this process ends, after the program's exit functions.

    Args:
        call: the function. A text's is called only where its module has been loaded by then.
    """
    _at_end.append(core.guarded(_if_loaded(call) if isinstance(call, str) else call))


def after_all(function: Callable[[int | None], None]) -> None:
    """Register what is to be called after everything that is registered with `at_end`.

    Args:
        function: it never raises. It gets the number of the signal that ends this process, or None.
    """
    _after_all.append(function)


def run_at_end(signal: int | None = None) -> None:
    """Call what is registered for the end; when called again, call only `after_all`'s functions.

    Args:
        signal: the number of the signal that ends this process; None where there is none.
    """
    functions, _at_end[:] = list(_at_end), []
    for function in functions:
        function()
    for last in _after_all:
        last(signal)


def end_process() -> NoReturn:
    """Write what is to be written at the end, and end this process here and now.

    Neither the program's exit functions nor its `finally` blocks run: they would write what a run
    that was cut short must not leave, such as a checkpoint over that of a whole one.
    """
    run_at_end()
    os._exit(0)


def loaded(module: str) -> "ModuleType | None":
    """Return a module that `after_import` has loaded; None where it has not.

    Args:
        module: the full name.
    """
    return sys.modules.get(module)


def _loading(path: str) -> Callable[[], None]:
    module, _, name = path.rpartition(".")

    def call() -> None:
        getattr(import_module(module), name)()

    return _named(call, module, name)


def _if_loaded(path: str) -> Callable[[], None]:
    module, _, name = path.rpartition(".")

    def call() -> None:
        if module in sys.modules:
            getattr(sys.modules[module], name)()

    return _named(call, module, name)


def _named(call: Any, module: str, name: str) -> Callable[[], None]:
    """Give a function the name by which `core.guarded` reports a failure."""
    call.__module__, call.__qualname__ = module, name
    named: Callable[[], None] = call
    return named
