"""Inside an observed process: start the instruments that the plan names.

Loaded by the start-up file only where SEED_INIT_TRACE or SEED_INIT_RECORD asks for it. It must not
change what the program computes: it draws from no generator, adds no collective and no
synchronisation to a step, and an instrument that fails is switched off and reported, once.
"""

import atexit
import contextlib
import importlib
import os
import sys
import traceback
from _thread import _local
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from seed_init import seeding
from seed_init.proof import journal as journals
from seed_init.refusals import Refusal

Function = TypeVar("Function", bound=Callable[..., Any])

plan: dict[str, Any] = {}
"""What is observed in this process: `instruments`, names of modules here, and their options."""

journal: journals.Journal
"""Where this process's events go."""


class _Here(_local):
    observing = False


here = _Here()
"""`observing` is True in a thread that runs an instrument: what happens then is not the program."""

_at_end: "list[Callable[[], None]]" = []
_failed: set[str] = set()


def start(values: dict[str, str]) -> None:
    """Start observing. Called at start-up, before user code.

    Args:
        values: of the variables, with SEED_INIT_TRACE or SEED_INIT_RECORD among them. The trace
            directory is made if missing.

    Raises:
        Refusal: it cannot be written.
    """
    global plan, journal
    directory = values["SEED_INIT_TRACE"]
    place = Path(directory).absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
        plan = journals.read_plan(place)
    except (OSError, ValueError) as error:
        raise Refusal(
            f"SEED_INIT_TRACE={directory} cannot be used ({error}); give a directory that can be "
            "written, or unset it"
        ) from None
    # Children may have another working directory.
    os.environ["SEED_INIT_TRACE"] = str(place)
    journal = journals.Journal(place)
    atexit.register(_end)
    for name in plan["instruments"]:
        module = importlib.import_module(f"seed_init.proof.observer.{name}")
        guarded(module.start)()


def after_import(name: str, function: "Callable[[], None]") -> None:
    """Call a function when a library of `startup.LIBRARIES` has been imported and seeded.

    Args:
        name: a key of `startup.LIBRARIES`.
        function: called at once where that has happened already.
    """
    safe = guarded(function)
    seeding.after_import.setdefault(name, []).append(safe)
    if name in dict(seeding.imported_libraries()):
        safe()


def at_end(function: "Callable[[], None]") -> None:
    """Call a function when this process ends, after the program's own exit functions."""
    _at_end.append(guarded(function))


def guarded(function: Function) -> Function:
    """The function, which never raises: where it fails, the program goes on without it."""

    @wraps(function)
    def safe(*arguments: Any, **keywords: Any) -> Any:
        if function.__qualname__ in _failed:
            return None
        outer, here.observing = here.observing, True
        try:
            return function(*arguments, **keywords)
        except Exception as error:
            _failed.add(function.__qualname__)
            report_failure(f"{function.__module__}.{function.__qualname__}", error)
            return None
        finally:
            here.observing = outer

    safe._torchdynamo_disable = True  # type: ignore[attr-defined]
    return safe  # type: ignore[return-value]


def report_failure(what: str, error: Exception) -> None:
    """Say that something here failed, on stderr and in the trace."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    line = f"{what} failed with {type(error).__name__}: {error} (line {where.lineno})"
    seeding.say(f"observing is incomplete: {line}")
    # The directory may be gone, or the disk full.
    with contextlib.suppress(OSError):
        journal.write("failed", what=line)


def _end() -> None:
    for function in _at_end:
        function()


def user_frame(frame: Any = None) -> Any:
    """The innermost frame of user code: none of the standard library, site-packages or ours.

    Args:
        frame: where to begin; the caller's if None.
    """
    frame = frame or sys._getframe(1)
    while frame is not None and not is_user_code(frame):
        frame = frame.f_back
    return frame


def is_user_code(frame: Any) -> bool:
    """True for a frame of the user's own code."""
    name = frame.f_code.co_filename
    # Code that libraries generate is in <string> as well: each dataclass has some.
    return is_user_file(name) and (name[0] != "<" or frame.f_globals["__name__"] == "__main__")


_PLACES = (Path(os.__file__).parent, Path(__file__).parents[2])
_LIBRARY = tuple(f"{place}/" for each in _PLACES for place in (each, each.resolve()))
known_files: dict[str, bool] = {}
"""File name -> what `is_user_file` says of it."""


def is_user_file(name: str) -> bool:
    """True for a file of the user's own, and for a notebook's cells."""
    known = known_files.get(name)
    if known is None:
        known = known_files[name] = _is_user_file(name)
    return known


def _is_user_file(name: str) -> bool:
    if name.startswith("<"):
        return name == "<stdin>" or (name == "<string>" and "-c" in sys.orig_argv)
    if "/site-packages/" in name or "/dist-packages/" in name or name.startswith(_LIBRARY):
        return False
    return not str(Path(name).resolve()).startswith(_LIBRARY)
