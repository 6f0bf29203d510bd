# SPDX-License-Identifier: Apache-2.0
"""This module tells the user's own files and frames from those of libraries and of ours."""

import os
import sys
from pathlib import Path
from typing import Any

_OURS = Path(__file__).parents[2]


def _prefixes(*directories: Path) -> tuple[str, ...]:
    return tuple(
        f"{path}/" for directory in directories for path in (directory, directory.resolve())
    )


_OUR_PREFIXES = _prefixes(_OURS)
_LIBRARY_PREFIXES = _prefixes(Path(os.__file__).parent, _OURS)

known_files: dict[str, bool] = {}
"""File name -> what `is_user_file` says of it."""


def is_user_file(name: str) -> bool:
    """Return True for a file of the user's own, and for a notebook's cells.

    Args:
        name: a file name, as a code object has it.
    """
    known = known_files.get(name)
    if known is None:
        known = known_files[name] = _is_user_file(name)
    return known


def _is_user_file(name: str) -> bool:
    if name.startswith("<"):
        return name == "<stdin>" or (name == "<string>" and "-c" in sys.orig_argv)
    if "/site-packages/" in name or "/dist-packages/" in name or name.startswith(_LIBRARY_PREFIXES):
        return False
    return not str(Path(name).resolve()).startswith(_LIBRARY_PREFIXES)


def is_our_file(name: str) -> bool:
    """Return True for a file of this package."""
    return name.startswith(_OUR_PREFIXES)


def is_user_frame(frame: Any) -> bool:
    """Return True for a frame that runs the user's own code."""
    name = frame.f_code.co_filename
    # Code that libraries generate is in <string> as well: each dataclass has some.
    return is_user_file(name) and (name[0] != "<" or frame.f_globals.get("__name__") == "__main__")


def user_frame(frame: Any = None) -> Any:
    """Return the innermost frame of user code; None where there is none.

    Args:
        frame: where the search begins; the caller's frame if None.
    """
    frame = frame or sys._getframe(1)
    while frame is not None and not is_user_frame(frame):
        frame = frame.f_back
    return frame


def source(frame: Any) -> dict[str, Any]:
    """Return file, line and function of a frame, as an event has them; {} where frame is None."""
    if frame is None:
        return {}
    return {
        "file": frame.f_code.co_filename,
        "line": frame.f_lineno,
        "function": frame.f_code.co_name,
    }


def source_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return file, line and function of an event."""
    return {key: event[key] for key in ("file", "line", "function") if key in event}


def program() -> tuple[str, str]:
    """Return what this Python was started with: ("module", name), ("script", path) or ("", "")."""
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
