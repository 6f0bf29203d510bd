# SPDX-License-Identifier: Apache-2.0
"""This module puts a function in the place of another one, also in a type of C."""

import gc
import sys
from collections.abc import Callable
from typing import Any

from seed_init.hook import callers, startup
from seed_init.proof.observer import core

Function = Callable[..., Any]


def function(owner: Any, name: str, make: "Callable[[Function], Function]") -> None:
    """Replace an attribute that is a function; where there is no such attribute, do nothing.

    Args:
        owner: a module.
        name: of the attribute.
        make: from the function to what takes its place.
    """
    original = getattr(owner, name, None)
    if original is not None:
        setattr(owner, name, callers.like(original)(make(original)))


def unbound(make: "Callable[[Function], Function]") -> "Callable[[Function], Function]":
    """Make a stand-in for a function of C that, like the function, is no method in a class.

    `logging.Formatter.converter` is time.localtime (Lib/logging/__init__.py): a function of
    Python's would be called there with the formatter as its first argument.

    Args:
        make: as in `function`. No frame comes between what it makes and who calls that.
    """

    def make_unbound(original: Function) -> Function:
        function, name = make(original), original.__name__
        call = staticmethod(callers.like(original)(function))
        kind = type(name, (), {"__call__": call, "__reduce__": lambda self: name})
        stand_in: Function = kind()
        return stand_in

    return make_unbound


def in_type(kind: type, name: str, value: Any) -> Any:
    """Replace a method of a type that is written in C, which setattr refuses.

    Its dictionary can be changed, and the interpreter be told so (PyType_Modified, which is part
    of Python's stable C interface); a class in its place would be another class to isinstance and
    pickle.

    Args:
        kind: the type.
        name: of the method.
        value: from what is there to what takes its place.

    Returns:
        What was there.
    """
    import ctypes

    (names,) = gc.get_referents(kind.__dict__)
    original = names[name]
    names[name] = value(original)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
    return original


def after_import(name: str, call: "Callable[[], None]") -> None:
    """Call a function when a module has been imported; at once where the module is there already.

    For modules that are no library of `startup.LIBRARIES`, which `callbacks.after_import` serves.

    Args:
        name: of the module.
        call: the function; a failure in it is reported.
    """
    safe, finder = core.guarded(call), startup.finder
    if name in sys.modules:
        safe()
        return
    if finder is None:
        return
    # Through the one finder that there is: two would keep each other from names that both wait
    # for (importing._asking).
    before, waited_for = finder.call, name in finder.waiting

    def imported(which: str) -> None:
        if which != name or waited_for:
            before(which)
        if which == name:
            safe()

    finder.call = imported
    finder.waiting.add(name)
