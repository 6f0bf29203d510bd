# SPDX-License-Identifier: Apache-2.0
"""Seed the libraries that are imported, with this process's stream."""

import os
import sys

from seed_init.hook import debug, say, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from seed_init.libraries import Library

after_import: "dict[str, list[Callable[[], None]]]" = {}
"""Library -> what else is to be called when it has been imported: an observer's instruments."""

seeded: dict[str, int] = {}
"""Library (the module name in `startup.LIBRARIES`) -> the seed it was last given here."""

PROMISED = ("random", "numpy.random", "torch")
"""Libraries whose numbers every run is about: a process that cannot seed one of them ends.

Another one that cannot be seeded, because its release or a program's own module of that name has
not the function, is named in one line, and the program goes on.
"""

not_seeded: dict[str, str] = {}
"""Library, none of `PROMISED` -> why it could not be seeded here."""

NONE: frozenset[str] = frozenset()

locked = NONE
"""Libraries whose lock could not be had before this process was forked.

They cannot be seeded here; nor could they be drawn from, since their lock is never let go.
"""

_imported: "list[tuple[str, Library]]" = []


def imported(name: str) -> None:
    """Seed and set up the library that has just been imported.

    Args:
        name: its module name: a key of `startup.LIBRARIES`.
    """
    seed = state.library_seed()
    library = _seed_first(name, seed)
    if library is None:
        return
    if (name, library) not in _imported:
        _imported.append((name, library))
    # Now and not at the first fork: another thread, or a signal's handler, may fork while the
    # module is loaded, and would find half of it.
    startup.part("hook.children")
    if name == "random":
        _follow_random()
    if seed is not None:
        if name in PROMISED:
            library.watch()
        if name not in not_seeded:
            seeded[name] = seed
            debug(f"{name} seeded with {seed}")
    if not state.settings.is_off:
        for line in library.configure(state.settings):
            debug(line)
    for function in after_import.get(name, ()):
        function()
    if name != "random" or state.drew:
        from seed_init.hook import announcing

        announcing.announce(name)


def _seed_first(name: str, seed: int | None) -> "Library | None":
    """Load a library's file and seed it; None if that fails and the library is not promised."""
    try:
        library = load(name)
        if seed is not None:
            library.seed(seed)
            if name not in PROMISED:
                library.watch()
    except Exception as error:
        if name not in PROMISED:
            _cannot_seed(name, error)
            return None
        if not isinstance(error, AttributeError):
            raise
        raise _not_the_library(name) from None
    return library


def _not_the_library(name: str) -> Exception:
    """Return the refusal of a module that has a library's name but not the library's functions."""
    from seed_init.hook import refusals

    file = getattr(sys.modules.get(name), "__file__", None)
    return refusals.Refusal(
        f"{name} was imported from {file}, which is not the library of that name; "
        "rename that file, or set SEED_INIT=0 to run without seeding"
    )


def _cannot_seed(name: str, error: Exception) -> None:
    """Say that a library cannot be seeded; go on, because the library is not in `PROMISED`."""
    file = getattr(sys.modules.get(name), "__file__", None)
    not_seeded[name] = f"{file} is no release of it that is known here ({error})"
    seeded.pop(name, None)
    say(f"{name} is not seeded: {not_seeded[name]}; seed it in your code")


def _follow_random() -> None:
    """Have forked children seeded after `random`, which has just been imported.

    Callbacks in the child run in the order of their registration, and `random` registers
    its reseed from the OS while it is imported (Lib/random.py, end).
    """
    if not startup.follows_random:
        startup.follows_random = True
        os.register_at_fork(
            after_in_child=lambda: startup.guarded("hook.children", "seed_forked_child")
        )


def see_to_missed() -> None:
    """Seed the libraries that came past the hook, by another import hook's doing."""
    for name in startup.LIBRARIES:
        is_waiting = startup.finder is not None and name in startup.finder.waiting
        if is_waiting and _is_imported(name):
            startup.finder.waiting.discard(name)
            imported(name)


def _reseed(
    name: str, library: "Library", seed: int, give: "Callable[[int], None] | None" = None
) -> None:
    try:
        (give or library.seed)(seed)
        if startup.finder is not None:
            library.watch()
    except Exception as error:
        if name in PROMISED:
            raise
        _cannot_seed(name, error)
    else:
        seeded[name] = seed


def reseed_libraries(keep: frozenset[str] = NONE) -> None:
    """Start this process's stream over in every library that is imported.

    Args:
        keep: libraries whose streams go on.
    """
    seed = state.process_seed()
    if seed is None:
        return
    for name, library in libraries_here():
        if name not in locked and name not in keep:
            _reseed(name, library, seed)


def reseed_for_unit(keep: frozenset[str]) -> None:
    """As `reseed_libraries`, for a unit of work.

    Args:
        keep: libraries whose streams go on.
    """
    seed = state.process_seed()
    if seed is None:
        return
    for name, library in libraries_here():
        if name not in locked and name not in keep:
            _reseed(name, library, seed, library.seed_again)


def seed_in_loader_worker() -> None:
    """In a DataLoader worker: seed what PyTorch does not seed there by itself."""
    seed = state.library_seed()
    if seed is None:
        return
    for name, library in _imported:
        if name not in PROMISED and name not in locked:
            _reseed(name, library, seed)


def libraries_here() -> "list[tuple[str, Library]]":
    """As `imported_libraries`; where the hook is not installed, of those that are imported."""
    if startup.finder is not None:
        return _imported
    return [(name, load(name)) for name in startup.LIBRARIES if _is_imported(name)]


def imported_libraries() -> "list[tuple[str, Library]]":
    """(module name, its `Library`) of each library that was imported through us."""
    return _imported


def lock_generators() -> frozenset[str]:
    """Before a fork: take the locks of the generators, so that no child inherits them taken.

    A lock that another thread holds while it draws stays locked for ever in a forked child,
    where that thread does not exist; to seed there would hang. Without other threads there is
    nothing to take.

    Returns:
        The libraries whose lock was not to be had.
    """
    # One that was lost in a former fork never comes back: to wait for it would hang here.
    return frozenset(
        name for name, library in _imported if name in locked or not library.lock_generators()
    )


def unlock_generators() -> None:
    """After a fork, in parent and child: give the locks back."""
    for _, library in _imported:
        library.unlock_generators()


def inherit_locked(names: frozenset[str]) -> None:
    """In a forked child whose parent has other threads: give up what lock was taken along.

    Args:
        names: the libraries whose lock `lock_generators` could not have.
    """
    global locked
    locked = NONE
    for name, library in _imported:
        if name in names or library.is_locked():
            _give_up(name)


def _give_up(name: str) -> None:
    global locked
    locked |= {name}
    seeded.pop(name, None)
    say(f"{name} is not seeded in this child: another thread drew from it at the fork")


def seed_in_fork(seed: int) -> None:
    """In a forked child: seed every library that is imported and whose lock can be had."""
    for name, library in _imported:
        if name not in locked:
            try:
                was_free = library.seed_in_fork(seed)
            except Exception as error:
                if name in PROMISED:
                    raise
                _cannot_seed(name, error)
                continue
            if was_free:
                seeded[name] = seed
            else:
                _give_up(name)


def _is_imported(name: str) -> bool:
    """Return whether a module's import has ended: another thread may still be importing."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


def load(name: str) -> "Library":
    """What the hook knows of a library.

    Args:
        name: the name of the library's module: a key of `startup.LIBRARIES`.
    """
    full = f"seed_init.libraries.{startup.LIBRARIES[name]}"
    __import__(full)
    library: Library = sys.modules[full].library
    return library
