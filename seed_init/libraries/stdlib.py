# SPDX-License-Identifier: Apache-2.0
"""The standard library's `random`."""

import random
from _weakref import ref

from seed_init.hook import like
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Stream = Callable[..., int]

STATES_MAX = 1000
"""Generators whose states travel to a spawned worker, which costs 20 microseconds each."""

_global: random.Random = random._inst
_seed: "Callable[..., None]" = random.Random.seed
_getstate = random.Random.getstate  # a subclass may have another one
_setstate = random.Random.setstate

# Of the generators made without a seed: by id, the generator and what it was seeded with.
_alive: "dict[int, tuple[ref[random.Random], int]]" = {}

_unpickled: "list[ref[random.Random]]" = []
"""In a spawned worker: the generators that came with what it was given to run."""


_parts: "dict[str, ModuleType]" = {}


def _part(name: str) -> "Any":
    """Import a module of the hook that most processes which import `random` never need."""
    if name not in _parts:
        _parts[name] = getattr(__import__(f"seed_init.hook.{name}").hook, name)
    return _parts[name]


def _remember(generator: random.Random, value: int) -> None:
    key = id(generator)
    _alive[key] = ref(generator, lambda _: _alive.pop(key, None)), value


def _state(generator: random.Random) -> int:
    # Of whole numbers, whose hash is the same in every process.
    return hash(_getstate(generator)[1])


class Stdlib(Library):
    """The generator behind the functions of `random`, and those that programs make."""

    def seed(self, value: int) -> None:
        """Seed the generator behind the functions of `random`.

        Args:
            value: 0...4294967295.
        """
        _seed(_global, value)

    def seed_in_fork(self, value: int) -> bool:
        """As `seed`, without one more function."""
        _seed(_global, value)
        return True

    def state(self) -> "tuple[Any, ...]":
        """The state of the generator behind the functions of `random`, for `restore`."""
        return _getstate(_global)

    def restore(self, state: "tuple[Any, ...]") -> None:
        """Put back what `state` gave."""
        _setstate(_global, state)

    def watch(self) -> None:
        """Have `Random()` and `random.seed()` ask us. A generator with a seed of its own keeps it.

        `Random.seed` is where both end up (Lib/random.py, Random.__init__), in subclasses as well.
        """
        if random.Random.seed is not _seed:
            return

        @like(_seed)
        def seed(self: random.Random, a: "Any" = None, version: int = 2) -> None:
            if a is not None:
                used = None
                if self is _global and isinstance(a, (int, str, bytes, bytearray, float)):
                    plain = bytes(a) if isinstance(a, bytearray) else a
                    used = _part("reseeding").seed_for("random.seed", plain)
                else:
                    _alive.pop(id(self), None)
                return _seed(self, a if used is None else used, version)
            callers, unseeded = _part("callers"), _part("unseeded")
            frame = callers.caller()
            if self is _global and unseeded.is_fork_of_copy(frame):
                return None
            what = "random.seed()" if self is _global else "random.Random()"
            value = unseeded.entropy("random", what, frame)
            _seed(self, value, version)
            if value is not None and self is not _global:
                _remember(self, value)
            elif unseeded.is_unpickled(frame):
                _unpickled.append(ref(self))
            elif callers.module_of(frame) == "copy" and frame is not None:
                # Lib/copy.py, _reconstruct: x is what is copied.
                original = _alive.get(id(frame.f_locals.get("x")))
                if original is not None:
                    _remember(self, original[1])
            return None

        @like(_setstate)
        def setstate(self: random.Random, state: "Any") -> None:
            _setstate(self, state)
            # From now on it is somebody else's, but for a copy.
            if _alive:
                callers = _part("callers")
                if callers.module_of(callers.caller()) != "copy":
                    _alive.pop(id(self), None)

        random.Random.seed = seed  # type: ignore[method-assign]
        random.Random.setstate = setstate  # type: ignore[method-assign]
        for name in ("seed", "setstate"):
            if getattr(random, name).__self__ is _global:
                setattr(random, name, getattr(_global, name))

    def notes_for_pickled(self) -> "dict[int, int]":
        """A hash of the state of each generator made without a seed that is alive -> its seed."""
        if len(_alive) > STATES_MAX:
            return {}
        alive = [(reference(), value) for reference, value in list(_alive.values())]
        return {_state(generator): value for generator, value in alive if generator is not None}

    def recognise_pickled(self, notes: "dict[int, int] | None") -> None:
        """In a spawned worker: find the generators that came along from its parent.

        Args:
            notes: what `notes_for_pickled` gave there.
        """
        for generator in filter(None, (reference() for reference in _unpickled)):
            value = (notes or {}).get(_state(generator))
            if value is not None:
                _remember(generator, value)
        _unpickled.clear()

    def adopt_unseeded(self, stream: "Stream") -> None:
        """Give each generator that was made without a seed a stream of this process.

        Args:
            stream: from a label to 128 bits.
        """
        for reference, value in list(_alive.values()):
            generator = reference()
            if generator is not None:
                _seed(generator, stream("random", value))


library = Stdlib()
