# SPDX-License-Identifier: Apache-2.0
"""This module finds the generators that a process holds, and compares their states.

No code of the user's is run, and nothing is drawn from the user's generators.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

Reader = Callable[[], Any]
"""Gives the state of one generator, as what can be compared and its repr shows in full."""

DEPTH = 4
"""How deep generators are looked for below an object."""

ITEMS_MAX = 100
"""Items of one list or dictionary that are looked at."""

OBJECTS_MAX = 10_000

DRAWS_MAX = 1 << 24
"""Numbers of 32 bits: how far one state of a Mersenne Twister is looked for behind another one."""

STEPS_MAX = 1 << 48
"""How far a generator that can be advanced is so by draws; a program advances by more."""

MULTIPLIERS = {
    "PCG64": 0x2360ED051FC65DA44385DF649FCCF645,
    "PCG64DXSM": 0xDA942042E4DD58B5,
}
"""Of PCG's steps (numpy/random/src/pcg64/pcg64.h)."""


def of_libraries() -> "Iterator[tuple[str, Reader]]":
    """Yield name and reader of each generator that imported libraries' functions use."""
    for name, generator in _of_libraries():
        read = reader(generator)
        if read is not None:
            yield name, read


def _of_libraries() -> "Iterator[tuple[str, Any]]":
    modules: Any = sys.modules
    if "torch" in modules and hasattr(modules["torch"], "default_generator"):
        yield "torch", modules["torch"].default_generator
    if "random" in modules:
        yield "random", modules["random"]._inst
    if "numpy.random" in modules:
        yield "numpy.random", modules["numpy.random"].mtrand._rand


def ids_of_libraries() -> "set[int]":
    """Return the ids of the libraries' generators: what `below` and `of_globals` can begin with."""
    return {id(generator) for _, generator in _of_libraries()}


def below(
    root: str, held_by: Any, seen: "set[int] | None" = None
) -> "Iterator[tuple[str, tuple[type, str], Reader]]":
    """Yield name, (class, attribute) and reader of each generator that an object holds.

    Args:
        root: what to call the object.
        held_by: the object.
        seen: ids of objects that are not looked at; what is looked at is added.
    """
    seen = set() if seen is None else seen
    todo = [(root, (type(held_by), ""), held_by, 0)]
    for name, owner, holder, depth in todo:
        if id(holder) in seen or len(seen) > OBJECTS_MAX:
            continue
        seen.add(id(holder))
        read = reader(holder)
        if read is not None:
            yield name, owner, read
        elif depth < DEPTH:
            todo += [
                (
                    name + part,
                    (type(holder), part[1:]) if part[0] == "." else owner,
                    inner,
                    depth + 1,
                )
                for part, inner in islice(_inner(holder), ITEMS_MAX)
            ]


def of_globals(
    module: str, variables: "dict[str, Any]", seen: "set[int]"
) -> "Iterator[tuple[str, Reader]]":
    """Yield name and reader of each generator that is a global variable.

    Args:
        module: what to call the module.
        variables: its own, or those that a function of it has.
        seen: as in `below`.
    """
    for variable, value in list(variables.items()):
        read = reader(value) if id(value) not in seen else None
        if read is not None:
            seen.add(id(value))
            yield f"{module}.{variable}", read


def _inner(holder: Any) -> "Iterator[tuple[str, Any]]":
    """Yield name and value of what an object holds, without running code of the object."""
    kind = type(holder)
    if kind is dict:
        for key, value in list(holder.items()):
            yield f"[{key!r}]" if type(key) in (str, int) else "[...]", value
    elif kind in (list, tuple):
        for number, value in enumerate(holder[:ITEMS_MAX]):
            yield f"[{number}]", value
    elif not issubclass(kind, (type, type(sys), *_class("torch", "Tensor"))):
        try:
            attributes = object.__getattribute__(holder, "__dict__")
        except AttributeError:
            return
        for key, value in list(attributes.items()):
            yield f".{key}", value


def _class(module: str, name: str) -> "tuple[type, ...]":
    """Return a class in a tuple, for issubclass; () where its module is not imported to its end."""
    kind = getattr(sys.modules.get(module), name, None)
    return () if kind is None else (kind,)


def reader(candidate: Any) -> "Reader | None":
    """Return what reads a generator's state; None for another object, or on another device."""
    # Not issubclass, which runs code of the classes: the program may have classes of any kind.
    kinds = {id(base) for base in type(candidate).__mro__}

    def is_a(module: str, name: str) -> bool:
        return any(id(kind) in kinds for kind in _class(module, name))

    if is_a("numpy.random", "Generator"):
        return lambda: _plain(candidate.bit_generator.state)
    if is_a("numpy.random", "RandomState"):
        return lambda: _plain(candidate._bit_generator.state)
    if is_a("numpy.random", "BitGenerator"):
        return lambda: _plain(candidate.state)
    if is_a("random", "Random") and not is_a("random", "SystemRandom"):
        random: Any = sys.modules["random"]
        return lambda: random.Random.getstate(candidate)[1]
    if is_a("torch", "Generator") and candidate.device.type == "cpu":
        return lambda: (candidate.initial_seed(), candidate.get_state().numpy().tobytes())
    return None


def _plain(state: Any) -> Any:
    """Return a state of NumPy's as an object whose repr shows all of the state."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


def digest(state: Any) -> str:
    """Return a short text that only this state has."""
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


def is_drawn(before: Any, after: Any) -> bool:
    """Return whether only draws, and no seeding, led a generator from one state to the other.

    Args:
        before: its state, as a reader gives it.
        after: another one of it.

    Returns:
        False where that cannot be told as well: of a Mersenne Twister after `DRAWS_MAX` numbers,
        of SFC64 and of what is not known here.
    """
    if before == after:
        return False
    if isinstance(before, dict):
        kind, state_before, state_after = (
            before["bit_generator"],
            before["state"],
            after.get("state"),
        )
        if kind != after.get("bit_generator"):
            return False
        if kind == "MT19937":
            return _follows(
                (*state_before["key"], state_before["pos"]),
                (*state_after["key"], state_after["pos"]),
            )
        if kind in MULTIPLIERS:
            return bool(
                state_before["inc"] == state_after["inc"]
                and _steps(
                    state_before["state"],
                    state_after["state"],
                    MULTIPLIERS[kind],
                    state_before["inc"],
                )
                < STEPS_MAX
            )
        if kind == "Philox":
            begin, end = _number(state_before["counter"]), _number(state_after["counter"])
            return bool(
                state_before["key"] == state_after["key"] and (end - begin) % (1 << 256) < STEPS_MAX
            )
        return False
    if isinstance(before[-1], bytes):  # torch's, which has the seed first
        return bool(before[0] == after[0])
    return _follows(before, after)


def _follows(before: "tuple[int, ...]", after: "tuple[int, ...]") -> bool:
    """Return whether one state of a Mersenne Twister comes soon after another one.

    The numbers that come next after the later state are looked for among those after the other.
    """
    from random import Random

    first, then = Random(0), Random(0)
    first.setstate((3, before, None))
    then.setstate((3, after, None))
    wanted, end = then.randbytes(32), b""
    for _ in range(DRAWS_MAX >> 16):
        numbers = end + first.randbytes(4 << 16)
        if wanted in numbers:
            return True
        end = numbers[-len(wanted) + 1 :]
    return False


def _steps(before: int, after: int, multiplier: int, increment: int) -> int:
    """Return the steps that a linear congruential generator of 128 bits makes between two states.

    Bit by bit: a step that is made 2**k times over changes no bit below bit k.
    """
    steps, bit, most = 0, 1, (1 << 128) - 1
    while before != after:
        if bit > most:  # not reached: the program has set the increment to an even number
            return most
        if (before ^ after) & bit:
            before = (before * multiplier + increment) & most
            steps |= bit
        increment = (multiplier + 1) * increment & most
        multiplier = multiplier * multiplier & most
        bit <<= 1
    return steps


def _number(words: "list[int]") -> int:
    return sum(word << (64 * index) for index, word in enumerate(words))
