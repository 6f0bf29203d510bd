# SPDX-License-Identifier: Apache-2.0
"""This module tells which libraries' generators were drawn from since the hook seeded them."""

import sys
from _random import Random
from collections.abc import Iterator
from typing import Any

from seed_init.hook import reseeding, seeding
from seed_init.proof.observer.audit import held_generators

PACKAGES = {"random": "random", "numpy.random": "numpy", "torch": "torch"}
"""Library -> the package by which `reseeding` names what the program has seeded."""


def drawn(seeded: dict[str, int]) -> Iterator[str]:
    """Yield each generator that does not stand any more where the hook's seed has put it.

    Args:
        seeded: package -> how often the program had seeded it before.
    """
    now = seeded_by_program()
    for library, read in held_generators.of_libraries():
        seed = seeding.seeded.get(library)
        package = PACKAGES[library]
        if seed is None or now.get(package, 0) != seeded.get(package, 0):
            continue
        if read() != _start_of(library, seed):
            yield library


def _start_of(library: str, seed: int) -> Any:
    """Return the state that a library's generator has with a seed, as `held_generators` reads it.

    Raises:
        KeyError: there is no such library.
    """
    if library == "random":
        return Random(seed).getstate()
    made: Any = (
        sys.modules["numpy.random"].RandomState(seed)
        if library == "numpy.random"
        else sys.modules["torch"].Generator().manual_seed(seed)
    )
    read = held_generators.reader(made)
    return None if read is None else read()


def seeded_by_program() -> dict[str, int]:
    """Return package -> how often the program has seeded it by itself."""
    times: dict[str, int] = {}
    for (function, _), note in list(reseeding.notes.items()):
        package = function.partition(".")[0]
        times[package] = times.get(package, 0) + int(note["count"])
    return times
