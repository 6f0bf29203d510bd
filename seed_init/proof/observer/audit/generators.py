# SPDX-License-Identifier: Apache-2.0
"""This module finds generators made without a seed, and seeding that overrides SEED."""

import ast
import sys
from types import FrameType
from typing import Any

from seed_init.hook import callers, reseeding, seeding, startup, state, unseeded
from seed_init.proof.observer import callbacks, core
from seed_init.proof.observer.audit import findings, replacing, sources

FROM_SEED = "derived from SEED"
FROM_SYSTEM = "from the operating system"


def start() -> None:
    """Watch what asks `unseeded` for entropy, and what tells `reseeding` of a seed.

    With SEED=off nobody is asked: the libraries are watched only where there is a seed. Their
    stand-ins then do what the original does.
    """
    entropy = unseeded.entropy

    def watched(library: str, what: str, frame: "FrameType | None") -> int | None:
        value = entropy(library, what, frame)
        _unseeded(what, frame, value is not None)
        return value

    unseeded.entropy = watched
    tell = reseeding._note

    def noted(function: str, passed: object, used: int | None, source: str) -> None:
        tell(function, passed, used, source)
        # Without SEED there is nothing that it could override; mixed with it, it does not.
        if used is None and state.base_seed() is not None:
            _reseeded(function, callers.above())

    reseeding._note = noted
    for name in startup.LIBRARIES:
        callbacks.after_import(name, _watcher(name))
    callbacks.after_import("torch", _watch_generator)


def _watcher(name: str) -> Any:
    def watch() -> None:
        dict(seeding.imported_libraries())[name].watch()

    return watch


@core.guarded
def _unseeded(what: str, frame: "FrameType | None", derived: bool) -> None:
    module = callers.module_of(frame)
    if module in unseeded.LEFT_ALONE or module in unseeded.COPYING:
        return
    user, library = sources.behind(frame)
    if user is None or (frame is not None and _is_seeded_next(frame)):
        return
    if library:
        # What a library makes while it is imported, or the standard library for names, is not
        # the user's.
        standard = library.partition(".")[0] in sys.stdlib_module_names
        if standard or callers.during_import(frame):
            return
        what = f"{what} in {library}"
    else:
        what = f"{sources.callee(user, what.removesuffix('()'))}()"
    detail = FROM_SEED if derived else FROM_SYSTEM
    findings.note("unseeded", what, sources.spot(user), detail)


def _is_seeded_next(frame: FrameType) -> bool:
    """Return True for `RandomState(3)`, made without a seed at first (numpy/random/mtrand.pyx)."""
    call = sources.node(sources.spot(frame))
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("RandomState"):
        return False
    arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "seed")]
    return bool(arguments) and not _is_none(arguments[0], frame)


def _is_none(expression: ast.expr, frame: FrameType) -> bool:
    """Return whether an expression certainly has the value None. No code of the user's is run."""
    if isinstance(expression, ast.Name):
        return frame.f_locals.get(expression.id, frame.f_globals.get(expression.id, 0)) is None
    if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
        owner = frame.f_locals.get(expression.value.id, frame.f_globals.get(expression.value.id))
        return getattr(owner, "__dict__", {}).get(expression.attr, 0) is None
    return isinstance(expression, ast.Constant) and expression.value is None


@core.guarded
def _reseeded(function: str, frame: "FrameType | None") -> None:
    user, library = sources.behind(frame)
    if user is not None:
        detail = f"called by {library}" if library else ""
        findings.note("reseeding", function, sources.spot(user), detail)


def _watch_generator() -> None:
    """`torch.Generator().seed()`, which no setting of ours can derive from SEED."""
    torch: Any = sys.modules["torch"]

    def replace(original: Any) -> Any:
        @callers.like(original)
        def seed(self: Any) -> int:
            frame = callers.above()
            if frame is not None and sources.is_user(frame):
                findings.note(
                    "unseeded", "torch.Generator.seed()", sources.spot(frame), FROM_SYSTEM
                )
            value: int = original(self)
            return value

        return seed

    replacing.in_type(torch._C.Generator, "seed", replace)
