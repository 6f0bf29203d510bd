# SPDX-License-Identifier: Apache-2.0
"""Start this process's streams over, put them aside for a while, and take them up again."""

from seed_init.hook import children, say, seeding, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from seed_init.hook.streams import Path
    from seed_init.libraries import Library


def reseed(seed: int | None) -> int | None:
    """Put `seed` in SEED's place, if given, and start every stream over.

    Returns:
        The seed of this process's stream; None where nothing is seeded.
    """
    if seed is not None:
        take_seed(seed)
    seeding.see_to_missed()
    state.begin_round()
    seeding.reseed_libraries()
    return state.process_seed()


def take_seed(seed: int) -> None:
    """Put a seed in SEED's place, for what is seeded from now on."""
    state.give_seed(seed)
    children.forget_prepared()
    _wait_for_imports()


def start_over(scope: "Path") -> None:
    """Start every stream over, those of children to come as well, as if this process began now.

    `reseed` goes on numbering children instead, so that no two have the same stream.

    Args:
        scope: the part of the job, whose streams they are from now on; () for the whole.
    """
    state.scope = scope
    children.number_anew()
    state.begin_round()
    seeding.reseed_libraries()


def move(path: "Path", keep: frozenset[str] = seeding.NONE) -> None:
    """Start every stream over at another place of the process tree, as if this process began there.

    Args:
        path: where.
        keep: libraries whose streams go on.
    """
    state.move_to(path)
    # Named streams of its workers go from there as well.
    state.named_from = path
    children.number_anew()
    state.begin_round()
    seeding.reseed_libraries(keep)


def become_worker(name: str) -> int | None:
    """Start every stream over where that of a worker of this name does.

    Returns:
        The seed of this process's stream; None where nothing is seeded.
    """
    state.worker = name
    seeding.see_to_missed()
    move(state.root())
    return state.process_seed()


def _wait_for_imports() -> None:
    if startup.finder is None:
        startup.watch()  # nothing was asked for so far


class Streams:
    """The streams of this process as they are now, for `resume`."""

    def __init__(self) -> None:
        self._generators: dict[str, Any] = {
            name: library.state()
            for name, library in seeding.libraries_here()
            if name not in seeding.locked
        }
        self._numbers = children.numbers()
        self._seeded = dict(seeding.seeded)
        self._depth, self._reseeded, self._scope = len(state.rounds), state.reseeded, state.scope

    def replace(self, seed: int | None, scope: "Path") -> None:
        """Have others take their place. May be called again.

        Args:
            seed: takes SEED's place from now on; None keeps the seed that was in effect.
            scope: the part of the job, whose streams they are from now on; () for the whole.
        """
        self._resume_round()
        state.begin_inner_round()
        if seed is not None:
            state.reseeded = seed
            _wait_for_imports()
        start_over(scope)

    def resume(self) -> None:
        """Put everything back as it was. Does the same when it is called again.

        A library that was imported in the meantime, or whose state cannot be read, starts as it
        does after its import.
        """
        self._resume_round()
        children.put_back(self._numbers)
        seed = state.process_seed()
        for name, library in seeding.libraries_here():
            if not self._restore(name, library) and seed is not None and name not in seeding.locked:
                library.seed(seed)
                seeding.seeded[name] = seed

    def _resume_round(self) -> None:
        state.reseeded, state.scope = self._reseeded, self._scope
        del state.rounds[self._depth :]
        seeding.seeded.clear()
        seeding.seeded.update(self._seeded)

    def _restore(self, name: str, library: "Library") -> bool:
        generators = self._generators.get(name)
        if generators is None:
            return False
        try:
            library.restore(generators)
        except Exception as error:
            # Whatever the user's code has made of the library: no reason to end the session.
            say(f"{name} starts over, its state cannot be put back: {error}")
            return False
        return True


def replace(aside: Streams, seed: int | None, scope: "Path") -> None:
    """`Streams.replace`, for `startup.guarded`: a signal must not leave it half done."""
    aside.replace(seed, scope)
