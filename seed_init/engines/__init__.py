# SPDX-License-Identifier: Apache-2.0
"""One file an engine: where its units of work begin and end, and what identifies each of them.

Each file has an object `engine`, of a class below `Engine`. `startup.ENGINES` says which module's
import it waits for, and the file is loaded right after that import. `startup.POOLS` has those that
wait only with SEED_INIT_POOLS=item, and `items` is what these share. docs/reference/engines.md says
how to add one.
"""

import sys

from seed_init.hook import debug, say, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Engine:
    """What the hook asks of an adapter.

    Attributes:
        name: the engine, as users know it.
        has_units: whether it is about units of work, for which SEED_INIT_TASKS holds.
        otherwise: what holds where its release is not known.
    """

    name = ""
    has_units = True
    otherwise = "its units of work have no streams of their own, as with SEED_INIT_TASKS=same"

    def attach(self, module: "ModuleType") -> None:
        """Wrap the functions of the engine where units of work are submitted, begin and end.

        What is wrapped calls `units.begin` before the user's code and `units.end` after it, in a
        `finally`. The path is made of what the engine or the submitting side numbers, never of what
        is another one in each run: a time, a process number, a random name.

        Args:
            module: has just been imported; one of those that `startup.ENGINES` names.

        Raises:
            Exception: this release of the engine is not made as the adapter knows it. Then nothing
                may have been changed.
        """
        raise NotImplementedError


def expect(function: "Any", *names: str) -> None:
    """Look at the first parameters of a function that is to be wrapped.

    Args:
        function: of the engine.
        names: how the parameters are called in the releases that the adapter knows.

    Raises:
        TypeError: they have other names.
    """
    code = function.__code__
    found = code.co_varnames[: code.co_argcount][: len(names)]
    if found != names:
        raise TypeError(f"{function.__qualname__}{found} has not the parameters {names}")


def imported(name: str) -> None:
    """Attach to the engine whose module has just been imported.

    Args:
        name: the module: a key of `startup.ENGINES` or of `startup.POOLS`.
    """
    engine = load(name)
    if state.settings.is_off or (engine.has_units and state.settings.tasks == "same"):
        return
    try:
        engine.attach(sys.modules[name])
    except Exception as error:
        # A program that runs without us has to run with us.
        say(
            f"this release of {engine.name} is not known ({type(error).__name__}: {error}): "
            f"{engine.otherwise}"
        )
    else:
        if engine.has_units:
            debug(f"{engine.name}: each unit of work has streams of its own")


def load(name: str) -> Engine:
    """What the hook knows of an engine.

    Args:
        name: the name of one of the engine's modules, as in `imported`.
    """
    file = startup.ENGINES[name] if name in startup.ENGINES else startup.POOLS[name]
    full = f"seed_init.engines.{file}"
    __import__(full)
    engine: Engine = sys.modules[full].engine
    return engine


def trace_variables() -> dict[str, str]:
    """What a worker has to find in its environment to write to the trace of this run.

    Empty where no command of ours observes the run. The first variable is where the trace is, the
    second says that somebody else makes the record of the run (`proof.trace.record_parts`).
    """
    from os import environ

    names = ("SEED_INIT_TRACE", "SEED_INIT_RECORDER")
    found = {name: environ[name] for name in names if environ.get(name)}
    return found if len(found) == len(names) else {}
