# SPDX-License-Identifier: Apache-2.0
"""The children of multiprocessing, and of every copy of it: each takes its place before it runs.

There are several copies: multiprocess (of pathos, Hugging Face datasets and mpire), billiard (of
Celery). Each numbers its processes on its own, and none knows what the others have started. A
copy is known by what it is made of, a module `PACKAGE.process` with a class BaseProcess, so that
nobody has to name the next one here.

The place of a child is its number among its siblings, below that of its parent:
("process", k) by multiprocessing itself, ("process", "billiard", k) by billiard, and
("process", k, j) for the j-th child of such a child.
"""

import sys
from _thread import get_ident

from seed_init.hook import children, seeding, startup, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

STANDARD = "multiprocessing"

# Package and place, where this process is a child of multiprocessing's: its own children go on from
# there. Not in what it forks by itself, whose place is another one.
_taken: tuple[str, streams.Path] | None = None


def watch(name: str) -> None:
    """Have each child of a copy of multiprocessing take its place before it runs its target.

    `BaseProcess._bootstrap` is where every start method ends up in the child, and loky's
    processes too (Lib/multiprocessing/process.py). Its own after-fork callbacks do not do:
    spawned processes skip them (Lib/multiprocessing/context.py, SpawnProcess._after_fork).

    Args:
        name: of a module that has been imported; nothing is done if it is no such copy's.
    """
    module, package = sys.modules[name], name.rpartition(".")[0]
    if not _is_copy(module):
        if children.look_again():
            seeding.reseed_libraries()
        return
    children.modules[package] = module
    children.COUNTERS[f"{name}:_process_counter"] = 1
    if children.leave_strange_place(package):
        seeding.reseed_libraries()
    base: Any = module.BaseProcess
    parent_start, bootstrap = base.start, base._bootstrap

    def start(self):  # type: ignore[no-untyped-def]
        here, pickled, place = get_ident(), _is_pickled(self, package), _place(self, package)
        held: dict[str, Any] | None = {} if pickled else None
        if pickled and seeding.any_unseeded:
            held = _unseeded_part().held()
        # Travels with the process object: a fork server has an older environment than ours.
        self._seed_init = place, seeding.job_seed(), held
        if not pickled:
            children.starting[here] = place
        try:
            return parent_start(self)
        finally:
            children.starting.pop(here, None)

    def _bootstrap(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        startup.guarded("hook.copies", "take_place", self, package)
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


def _place(process: "Any", package: str) -> streams.Path:
    number = process._identity[-1]
    if _taken == (package, children.path):
        return (*children.path, number)
    return (*children.path, *_label(package), number)


def _label(package: str) -> streams.Path:
    return ("process",) if package == STANDARD else ("process", package)


def take_place(process: "Any", package: str) -> None:
    """In a child of multiprocessing's: take the place that its parent has given it.

    Args:
        process: the process object, which came from the parent.
        package: of the copy of multiprocessing.
    """
    global _taken
    place, seed, held = getattr(process, "_seed_init", (None, None, None))
    # Its parent's `reseed` may have changed the seed.
    if seed is not None and seed != seeding.job_seed():
        seeding.reseed(seed)
    if children.inherits:
        return
    if place is None:
        if not _is_pickled(process, package):
            return  # a fork, which has a place
        # A class with a pickling of its own has lost it: its place among all that are spawned.
        place = (*children.root(), *_label(package), *process._identity)
    _taken = package, place
    if place != children.path:  # as it is in a fork that the parent has prepared
        children.move_to(place)
        seeding.reseed_libraries()
        if held or seeding.any_unseeded:
            if held is not None:
                _unseeded_part().know_again(held)
            _unseeded_part().adopt()


def _unseeded_part() -> "Any":
    """The module `unseeded`; loaded where a generator was made without a seed."""
    from seed_init.hook import unseeded

    return unseeded
