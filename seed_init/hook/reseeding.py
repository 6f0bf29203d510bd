# SPDX-License-Identifier: Apache-2.0
"""User code that seeds a library by itself: obeyed and noted, or mixed with SEED."""

import operator

from seed_init.hook import callers, debug, startup, state, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

NOTES_MAX = 1000
"""Places that are noted; a program that generates its code could have any number."""

SHOWN_MAX = 80

notes: "dict[tuple[str, str], dict[str, Any]]" = {}
"""(function, source) -> what was passed there last, what was used, how often."""


def is_ours(frame: "FrameType | None") -> bool:
    """True where the caller is no user code: PyTorch seeding its DataLoader workers, or us."""
    module = callers.module_of(frame)
    return module.partition(".")[0] in ("torch", "seed_init")


def seed_for(
    function: str, passed: "int | str | bytes | float | tuple[int, ...] | None"
) -> int | None:
    """Return the seed to use in place of `passed`; None: use `passed` itself.

    Args:
        function: the function that was called, for the note.
        passed: the seed that was passed; None if the library does not accept what was passed.
    """
    frame = callers.caller()
    if passed is None or is_ours(frame):
        return None
    # Not of the present cell alone: one value is one seed in all of a notebook.
    seed = state.base_seed()
    mixes = seed is not None and state.settings.reseed == "mix"
    used = streams.mix(seed, passed) if mixes and seed is not None else None
    _note(function, passed, used, callers.source(frame))
    return used


def asking(
    name: str, original: "Callable[..., Any]", give: "Callable[[int], Any] | None" = None
) -> "Callable[..., Any]":
    """A stand-in for a library's function that seeds: it asks `seed_for`, then calls the function.

    Args:
        name: the function, as the user calls it.
        original: that function; it takes the seed, a whole number, as its only argument.
        give: called with a seed that is not the user's, 0...4294967295; `original` if None.
    """

    @callers.like(original)
    def stand_in(*arguments: "Any", **keywords: "Any") -> "Any":
        passed = arguments[0] if arguments else next(iter(keywords.values()), None)
        used = seed_for(name, _whole(passed))
        return original(*arguments, **keywords) if used is None else (give or original)(used)

    return stand_in


def _whole(value: "Any") -> int | None:
    """Return a seed as a number of 64 bits; None if the library will refuse the seed itself."""
    try:
        number = operator.index(value)
    except TypeError:
        return None
    # As torch takes them: negative numbers stand for those beyond 63 bits.
    return number % 2**64 if -(2**63) <= number < 2**64 else None


def _note(function: str, passed: object, used: int | None, source: str) -> None:
    shown = _shown(passed)
    note = notes.get((function, source))
    if note is None:
        if len(notes) >= NOTES_MAX:
            return
        note = notes[function, source] = {"count": 0}
        outcome = "obeyed" if used is None else f"mixed with SEED to {used}"
        debug(f"{function}({shown}) at {source} is {outcome}")
    note.update(given=shown, used=shown if used is None else str(used), count=note["count"] + 1)


def _shown(seed: object) -> str:
    """A seed for a note; not by a `__repr__` of the user's own."""
    if isinstance(seed, int):
        return int.__repr__(seed) if abs(seed) < 2**64 else "a number beyond 64 bits"
    if isinstance(seed, (str, bytes)):
        seed = seed[: SHOWN_MAX + 1]
    text = float.__repr__(seed) if isinstance(seed, float) else repr(seed)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


def by_program() -> frozenset[str]:
    """The libraries (keys of `startup.LIBRARIES`) that the program has seeded by itself."""
    packages = {function.partition(".")[0] for function, _ in list(notes)}
    return frozenset(name for name in startup.LIBRARIES if name.partition(".")[0] in packages)


def status() -> "list[dict[str, Any]]":
    """The notes as `seed_init.status` returns them."""
    return [
        {"function": function, "place": source, **note}
        for (function, source), note in list(notes.items())
    ]
