# SPDX-License-Identifier: Apache-2.0
"""The children of multiprocessing, and of every copy of it: each takes its path before it runs.

There are several copies: multiprocess (of pathos, Hugging Face datasets and mpire), billiard (of
Celery). Each numbers its processes on its own, and none knows what the others have started. A
copy is known by what it is made of, a module `PACKAGE.process` with a class BaseProcess, so that
nobody has to name the next one here.

The path of a child ends in its number among its siblings, below the path of its parent:
("process", k) by multiprocessing itself, ("process", "billiard", k) by billiard, and
("process", k, j) for the j-th child of such a child.
"""

import sys
from _thread import get_ident

from seed_init.hook import children, seeding, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

STANDARD = "multiprocessing"

# Package and path, where this process is a child of multiprocessing's: its own children go on from
# there. Not in what it forks by itself, whose path is another one.
_taken: "tuple[str, Path] | None" = None


def watch(name: str) -> None:
    """Have each child of a copy of multiprocessing take its path before it runs its target.

    `BaseProcess._bootstrap` is where every start method ends up in the child, and loky's
    processes too (Lib/multiprocessing/process.py). Its own after-fork callbacks do not do:
    spawned processes skip them (Lib/multiprocessing/context.py, SpawnProcess._after_fork).

    Args:
        name: of a module that has been imported; nothing is done if it is no such copy's.
    """
    module, package = sys.modules[name], name.rpartition(".")[0]
    if not _is_copy(module):
        if state.look_again():
            seeding.reseed_libraries()
        return
    state.copies[package] = module
    children.COUNTERS[f"{name}:_process_counter"] = 1
    if state.leave_random_path(package):
        seeding.reseed_libraries()
    base: Any = module.BaseProcess
    parent_start, bootstrap = base.start, base._bootstrap

    def start(self):  # type: ignore[no-untyped-def]
        thread, pickled, path = get_ident(), _is_pickled(self, package), _path(self, package)
        notes: dict[str, Any] | None = {} if pickled else None
        if pickled and state.any_unseeded:
            notes = _unseeded().notes_for_pickled()
        # Travels with the process object: a fork server has an older environment than ours.
        self._seed_init = path, state.job_seed(), notes, state.named_from
        if not pickled:
            children.starting[thread] = path
        try:
            return parent_start(self)
        finally:
            children.starting.pop(thread, None)

    def _bootstrap(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        startup.guarded("hook.copies", "take_path", self, package)
        return bootstrap(self, *args, **kwargs)

    base.start, base._bootstrap = start, _bootstrap


def _is_copy(module: "ModuleType") -> bool:
    names = vars(module)
    base = names.get("BaseProcess")
    return (
        isinstance(base, type)
        # Loky, for one, takes the class of multiprocessing.
        and base.__module__ == module.__name__
        and {"start", "_bootstrap"} <= vars(base).keys()
        # A program may have such a class of its own; what numbers its processes is a copy.
        and {"current_process", "_process_counter"} <= names.keys()
    )


def _is_pickled(process: "Any", package: str) -> bool:
    """True where the child gets its arguments by pickle, not by being a copy of its parent."""
    method = getattr(process, "_start_method", None)
    if method is None:  # the default one of this copy, which `start` is about to settle as well
        method = sys.modules[package].get_start_method()
    return bool(method != "fork")


def _path(process: "Any", package: str) -> "Path":
    place = getattr(process, "_seed_init_place", None)
    if place is not None:  # a server's worker has a place of its own (`engines`)
        return (*state.path, *place)
    number = process._identity[-1]
    if _taken == (package, state.path):
        return (*state.path, number)
    return (*state.path, *_label(package), number)


def _label(package: str) -> "Path":
    return ("process",) if package == STANDARD else ("process", package)


def take_path(process: "Any", package: str) -> None:
    """In a child of multiprocessing's: take the path that its parent has given it.

    Args:
        process: the process object, which came from the parent.
        package: of the copy of multiprocessing.
    """
    global _taken
    path, seed, notes, named_from = getattr(process, "_seed_init", (None, None, None, None))
    # Its parent's `reseed` may have changed the seed.
    if seed is not None and seed != state.job_seed():
        from seed_init.hook import rounds

        rounds.reseed(seed)
    if state.inherits:
        return
    if path is None:
        if not _is_pickled(process, package):
            return  # a fork, which has a path
        # A class with a pickling of its own has lost it: its number among all that are spawned.
        path = (*state.root(), *_label(package), *process._identity)
    _taken = package, path
    state.named_from = named_from
    if path != state.path:  # as it is in a fork that the parent has prepared
        state.move_to(path)
        seeding.reseed_libraries()
        if notes or state.any_unseeded:
            if notes is not None:
                _unseeded().recognise_pickled(notes)
            _unseeded().adopt()


def _unseeded() -> "Any":
    """The module `unseeded`; loaded where a generator was made without a seed."""
    from seed_init.hook import unseeded

    return unseeded
