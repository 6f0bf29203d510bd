# SPDX-License-Identifier: Apache-2.0
"""Inside an observed process: start the instruments that the plan names.

Loaded by the start-up file only where SEED_INIT_TRACE or SEED_INIT_RECORD asks for it. It must not
change what the program computes: it draws from no generator, adds no collective and no
synchronisation to a step, and an instrument that fails is switched off and reported, once.
"""

import atexit
import importlib
import os
import sys
import traceback
from _thread import _local
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from seed_init.hook import seeding
from seed_init.hook.refusals import Refusal
from seed_init.proof.observer import owner as owners
from seed_init.proof.trace import journal as journals

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
_owner: owners.Owner | None = None  # where this process is to write the record of its run
_failed: set[str] = set()


def start(values: dict[str, str]) -> None:
    """Start observing. Called at start-up, before user code.

    Args:
        values: of the variables, with SEED_INIT_TRACE or SEED_INIT_RECORD among them. The trace
            directory is made if missing.

    Raises:
        Refusal: it cannot be written.
    """
    global plan, journal, _owner
    if _is_own_command():
        return
    directory = values.get("SEED_INIT_TRACE")
    if "SEED_INIT_RECORD" in values and not owners.is_elsewhere():
        _owner = owners.begin(values["SEED_INIT_RECORD"], directory)
        directory = str(_owner.parts)
    elif owners.is_elsewhere() and not (directory and Path(directory).is_dir()):
        return  # the run is over, and we have outlived it
    assert directory is not None
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
    if _owner is not None:
        owners.at_sigterm(_end)
    for name in plan["instruments"]:
        module = importlib.import_module(f"seed_init.proof.observer.instruments.{name}")
        guarded(module.start)()


def _is_own_command() -> bool:
    """True for `seed-init` itself, which runs or reads what is observed and is none of it."""
    kind, name = program()
    own = {"module": name.partition(".")[0] == "seed_init"}
    own["script"] = Path(name).name in ("seed-init", "seed_init")
    return own.get(kind, False)


def program() -> tuple[str, str]:
    """What this Python was started with: ("module", name), ("script", path) or ("", "")."""
    words = iter(sys.orig_argv[1:])
    for word in words:
        if word.startswith("-m"):
            return "module", word[2:] or next(words, "")
        if word in ("-c", "-"):
            break
        if not word.startswith("-"):
            return "script", word
        if word in ("-X", "-W", "--check-hash-based-pycs"):
            next(words, None)
    return "", ""


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


def end_process() -> NoReturn:
    """Write what is to be written at the end, and end this process here and now.

    Neither the program's exit functions nor its `finally` blocks run: they would write what a run
    that was cut short must not leave, such as a checkpoint over that of a whole one.
    """
    _end()
    os._exit(0)


def guarded(function: Function) -> Function:
    """The function, which never raises: where it fails, the program goes on without it."""

    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def safe(*arguments: Any, **keywords: Any) -> Any:
        if name in _failed:
            return None
        outer, here.observing = here.observing, True
        try:
            return function(*arguments, **keywords)
        except Exception as error:
            _failed.add(name)
            report_failure(name, error)
            return None
        finally:
            here.observing = outer

    safe._torchdynamo_disable = True  # type: ignore[attr-defined]
    return safe  # type: ignore[return-value]


def report_failure(what: str, error: Exception) -> None:
    """Say that something here failed, on stderr and in the trace."""
    from seed_init.proof.redaction.secret_texts import without_secrets

    line = f"{what} failed with {type(error).__name__}: {error}{_place_in_us(error)}"
    line = without_secrets(line)
    seeding.say(f"observing is incomplete: {line}")
    with suppress(OSError):  # the trace directory is gone, or the disk full
        journal.write("failed", what=line)


def _place_in_us(error: Exception) -> str:
    """The innermost line of ours that an error came through, as " (vectors.py, line 12)"."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_LIBRARY[2:])] or frames
    return f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""


def unreadable(tensor: Any, error: Exception) -> None:
    """Report that the contents of a tensor cannot be read: once for each kind of tensor."""
    told = [getattr(tensor, name, "?") for name in ("dtype", "layout", "device")]
    what = f"reading a {type(tensor).__name__} ({', '.join(map(str, told))})"
    if what not in _failed:
        _failed.add(what)
        report_failure(what, error)


def _end(signal: int | None = None) -> None:
    functions, _at_end[:] = list(_at_end), []
    for function in functions:
        function()
    if _owner is not None:
        _owner.finish(signal)


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
    return is_user_file(name) and (name[0] != "<" or frame.f_globals.get("__name__") == "__main__")


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
