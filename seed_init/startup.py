"""What happens at the start of every Python process: read the settings, wait for imports.

Nothing is seeded here and no library is imported. `start` leaves a finder behind that
calls `seeding` when the first of the libraries below is imported, and two fork callbacks.
"""

import os

from seed_init import importing, settings as contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

LIBRARIES = {
    "random": "stdlib",
    "numpy.random": "numpy",
    "torch": "torch",
}
"""Module whose import is waited for -> the file in `libraries/` that knows it.

`numpy.random`, not `numpy`: `import numpy` does not import it, so waiting for `numpy`
would either force the import or come too early.
"""

settings: contract.Settings | None = None
"""What this process was asked to do; None until `start`, and with SEED_INIT=0."""

drew_seed = False
"""True where SEED=random was replaced by this process and not by the entrypoint."""

finder: importing.Finder | None = None
"""Waits for the libraries that are not imported yet; None where the hook is idle."""


def start() -> None:
    """Arm this process. Does nothing with SEED_INIT=0 and when called again.

    Both the sitecustomize and the .pth file call it, because each of them can be hidden
    from an interpreter that runs the other.
    """
    global settings
    if settings is not None or os.environ.get("SEED_INIT", "").strip() == "0":
        return
    try:
        settings = contract.read()
        if not settings.idle:
            _arm(settings)
    except contract.Refusal as refusal:
        refuse(str(refusal))
    except BaseException as error:
        fail(error)


def wanted() -> contract.Settings | None:
    """The settings that hold for explicit calls of the public functions.

    They hold with the hook and, where it is not installed, without it: code that asks for a
    seeded generator must not get an unseeded one. None with SEED_INIT=0.
    """
    if settings is not None or os.environ.get("SEED_INIT", "").strip() == "0":
        return settings
    try:
        return contract.read()
    except contract.Refusal as refusal:
        refuse(str(refusal))


def _arm(wanted: contract.Settings) -> None:
    global settings, finder, drew_seed
    if wanted.wants_draw:
        from seed_init import draw

        settings = wanted = draw.replace_random(wanted)
        drew_seed = True
    _export_cublas(wanted)
    waiting = {name: _seeder(name) for name in LIBRARIES}
    waiting["multiprocessing.util"] = _watch_multiprocessing
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
    finder = importing.after_import(waiting)


def _export_cublas(wanted: contract.Settings) -> None:
    """Set the cuBLAS workspace now: cuBLAS reads it when torch creates its first handle."""
    if contract.CUBLAS in wanted.values:
        os.environ[contract.CUBLAS] = wanted[contract.CUBLAS]


def _seeder(name: str):  # type: ignore[no-untyped-def]
    def seed_library() -> None:
        try:
            from seed_init import seeding

            seeding.library_imported(name)
        except BaseException as error:
            # Never raise: a second `import torch` after a failed one cannot succeed, and
            # a user's `except ImportError` would carry on unseeded.
            fail(error)

    return seed_library


def _watch_multiprocessing() -> None:
    try:
        from seed_init import processes

        processes.watch_multiprocessing()
    except BaseException as error:
        fail(error)


def _before_fork() -> None:
    try:
        from seed_init import processes

        processes.before_fork()
    except BaseException as error:
        fail(error)


def _after_fork_in_child() -> None:
    try:
        from seed_init import processes

        processes.after_fork_in_child()
    except BaseException as error:
        fail(error)


def refuse(message: str) -> "NoReturn":
    """End this process: one line on stderr, exit status 78 (EX_CONFIG), nothing else.

    `os._exit`, because an exception would let user code run unseeded and SystemExit makes
    `site` print a traceback and exit 1 (Lib/site.py, Python/pylifecycle.c).
    """
    os.write(2, f"seed_init: {message}\n".encode("ascii", "backslashreplace"))
    os._exit(contract.EX_CONFIG)


def fail(error: BaseException) -> "NoReturn":
    """End this process because seeding it failed: unseeded user code must not run."""
    refuse(
        f"seeding failed with {type(error).__name__}: {str(error)[:300]!r}; "
        "set SEED_INIT=0 to run without seeding"
    )
