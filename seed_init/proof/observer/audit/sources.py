# SPDX-License-Identifier: Apache-2.0
"""This module finds the user's source line, its text and its syntax tree behind a frame."""

import ast
import linecache
import sys
import tokenize
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import user_code
from seed_init.proof.redaction.secret_texts import without_secrets

Spot = tuple[CodeType, int, int]
"""A code object, the line and the offset of the instruction that runs in it."""

_START = Path.cwd()
"""The file names of code are relative to it where a program was started by a relative path."""

_lines: dict[str, list[str]] = {}
_trees: "dict[str, ast.Module | None]" = {}


def spot(frame: FrameType) -> Spot:
    """Return where a frame is now."""
    return frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno, frame.f_lasti


def is_user(frame: "FrameType | None") -> bool:
    """Return True for a frame of the user's own code."""
    return frame is not None and user_code.is_user_file(frame.f_code.co_filename)


def behind(frame: "FrameType | None", *passed: str) -> "tuple[FrameType | None, str]":
    """Return the user's frame behind a call, and the library between the two.

    Args:
        frame: the frame that called.
        passed: packages that do not count as between.

    Returns:
        The frame, None where the user's code has nothing to do with it; and the name of the
        module that called, "" where that is the user's own.
    """
    while frame is not None:
        module = callers.module_of(frame)
        top = module.partition(".")[0]
        if not (top in passed or top == "seed_init" or callers._is_transparent(module, ())):
            break
        frame = frame.f_back
    if frame is None or is_user(frame):
        return frame, ""
    return user_code.user_frame(frame), callers.module_of(frame)


def describe(spot: Spot) -> dict[str, Any]:
    """Return the fields file, line, function and text of a finding."""
    code, line, _ = spot
    return {
        "file": shown_file(code.co_filename),
        "line": line,
        "function": getattr(code, "co_qualname", code.co_name),
        "text": without_secrets(text(code.co_filename, line)),
    }


def shown_file(name: str) -> str:
    """Return the name of a file in findings: its absolute path, or the notebook's cell."""
    cell = _cell(name)
    if cell is not None:
        return cell
    return name if name.startswith("<") else str(_START / name)


def _cell(name: str) -> str | None:
    """Return `Cell In[3]` for the file of a notebook's cell (IPython/core/compilerop.py)."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    number = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(name)
    return None if number is None else f"Cell In[{number}]"


def text(name: str, line: int) -> str:
    """Return a line of source without its indentation; "" where there is no source."""
    source_lines = lines(name)
    return source_lines[line - 1].strip() if 0 < line <= len(source_lines) else ""


def lines(name: str) -> list[str]:
    """Return the lines of a file of code."""
    if name not in _lines:
        _lines[name] = _read(name)
    return _lines[name]


def _read(name: str) -> list[str]:
    # Cells are there only. Not for every file: what a traceback shows should stay as it is.
    if name in linecache.cache:
        return linecache.getlines(name)
    try:
        with tokenize.open(str(_START / name)) as file:
            return file.readlines()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return []


def tree(name: str) -> "ast.Module | None":
    """Return the syntax tree of a file, whose nodes have a `parent`; None without source."""
    if name not in _trees:
        _trees[name] = _parse(name)
    return _trees[name]


def _parse(name: str) -> "ast.Module | None":
    try:
        module = ast.parse("".join(lines(name)))
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(module):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
    return module


def node(spot: Spot) -> "ast.expr | None":
    """Return the expression at the instruction of a spot; None where it is not known."""
    code, line, offset = spot
    module = tree(code.co_filename)
    if module is None:
        return None
    wanted = _position(code, offset)
    if wanted is None:
        # Python 3.10 has lines only: a line with one call leaves no doubt.
        calls = [child for child in ast.walk(module) if isinstance(child, ast.Call)]
        here = [
            child for child in calls if child.lineno <= line <= (child.end_lineno or child.lineno)
        ]
        return here[0] if len(here) == 1 else None
    for child in ast.walk(module):
        if isinstance(child, ast.expr):
            position = child.lineno, child.end_lineno, child.col_offset, child.end_col_offset
            if position == wanted:
                return child
    return None


def _position(code: CodeType, offset: int) -> "tuple[int | None, ...] | None":
    if not hasattr(code, "co_positions") or offset < 0:
        return None
    position = next(islice(code.co_positions(), offset // 2, None), None)
    return None if position is None or None in position else tuple(position)


def callee(frame: FrameType, default: str) -> str:
    """Return what a frame's instruction calls, as the user wrote it: `np.random.default_rng`.

    Args:
        frame: a user's.
        default: where the source is not known, or calls nothing there.
    """
    expression = node(spot(frame))
    return ast.unparse(expression.func) if isinstance(expression, ast.Call) else default
