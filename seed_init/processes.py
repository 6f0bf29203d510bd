"""Which process this is: its rank, its place in the process tree, and so its stream.

The root of a tree (a program started by hand, by a launcher or by `subprocess`) has the
empty path, or ("rank", n) where ranks were asked to be distinct. A child of multiprocessing
(fork, spawn, forkserver; loky builds on the same class) appends ("process", k, ...) with its
multiprocessing identity; a bare `os.fork` appends ("fork", k) for its parent's k-th fork.
"""

import os
import sys
from _thread import _count as count_of_other_threads
from _thread import get_ident

from seed_init import seeding, settings, startup, streams

RANK_VARIABLES = {
    "RANK": "WORLD_SIZE",
    "SLURM_PROCID": "SLURM_NTASKS",
    "OMPI_COMM_WORLD_RANK": "OMPI_COMM_WORLD_SIZE",
    "PMI_RANK": "PMI_SIZE",
}
"""Rank and number of ranks: torchrun, Slurm, Open MPI, MPICH; the innermost launcher first."""


def rank() -> tuple[int, str] | None:
    """This process's rank and the number of ranks as text ("?" if unknown), if it has one."""
    for name, size in RANK_VARIABLES.items():
        value = os.environ.get(name, "")
        # Nine digits: int() raises on a text of more than 4300.
        if value.isascii() and value.isdecimal() and len(value) <= 9:
            return int(value), os.environ.get(size, "?")
    return None


def _root_path() -> streams.Path:
    here = rank()
    if here is not None and settings.value("SEED_INIT_RANKS") == "distinct":
        return ("rank", here[0])
    return ()


path: streams.Path = _root_path()
"""This process's place; changes only in a child, right after it came into being."""

# (path, depth) of the process in which the multiprocessing identities below start: depth is
# the length of the identity there. A bare fork starts a tree of its own, because its child
# and its parent go on to number their processes alike.
_tree: tuple[streams.Path, int] = (path, 0)
_tree_of_parent = _tree

is_forked = False
"""Whether this process was forked from a Python process."""

_forks = 0

# By thread, while it forks: the number of the fork, random's state where children inherit it,
# the libraries that cannot be seeded, whether there are other threads; None for `subprocess`.
_forking: "dict[int, tuple[int, object, frozenset[str], bool] | None]" = {}

UNANNOUNCED: tuple[int, object, frozenset[str], bool] = (0, None, frozenset(), True)
"""A fork in C that runs the callbacks of the child only; its siblings cannot be told apart."""


def is_main() -> bool:
    """True in a program's own process, false in a worker that a program made for itself."""
    process = sys.modules.get("multiprocessing.process")
    spawned = process is not None and (
        process.parent_process() is not None
        or getattr(process.current_process(), "_inheriting", False)
    )
    # torch.compile starts its workers as a program of their own. A program may have put
    # anything in sys.argv, or nothing.
    program = str((getattr(sys, "argv", None) or [""])[0])
    return not (is_forked or spawned or program.endswith("compile_worker/__main__.py"))


def before_fork() -> None:
    """In the parent: number the child that is about to be forked, and let nobody draw."""
    global _forks
    if _is_for_subprocess():
        _forking[get_ident()] = None
        return
    _forks += 1
    state = None
    if _children_inherit() and "random" in sys.modules:
        state = sys.modules["random"].getstate()
    others = count_of_other_threads() > 0
    # Last: the less time between the lock and the fork, the better.
    _forking[get_ident()] = (_forks, state, seeding.hold_generators(others), others)


def _is_for_subprocess() -> bool:
    """True where `subprocess` forks, which it does through Python only for a preexec_fn.

    Such a child runs that function and becomes another program. To seed it would be wasted,
    and could hang it where another thread draws.
    """
    # 0 is this function, 1 before_fork, 2 startup.guarded, 3 the callback, 4 who forks.
    caller = sys._getframe(3).f_back
    return (
        caller is not None
        and caller.f_code.co_name == "_execute_child"
        and caller.f_globals.get("__name__") == "subprocess"
    )


def after_fork_in_parent() -> None:
    """In the parent: let others draw again."""
    _forking.pop(get_ident(), None)
    seeding.release_generators()


def after_fork_in_child() -> None:
    """In the child: take the place that the parent numbered.

    Seeds nothing yet: `random` reseeds itself from the OS in a callback that runs after this
    one, and `seed_forked_child` runs after both.
    """
    global path, is_forked, _forks, _tree, _tree_of_parent
    seeding.release_generators()
    is_forked, _forks = True, 0
    fork = _forking.get(get_ident(), UNANNOUNCED)
    if fork is None:
        return
    number, _, locked, others = fork
    if not _children_inherit():
        path += ("fork", number)
        seeding.inherit_locked(locked, others)
    process = sys.modules.get("multiprocessing.process")
    identity = process.current_process()._identity if process is not None else ()
    _tree_of_parent, _tree = _tree, (path, len(identity))


def follow_random() -> None:
    """Register the callback that seeds forked children; called when `random` is imported.

    Callbacks in the child run in the order of their registration, and `random` registers
    its reseed from the OS while it is imported (Lib/random.py, end).
    """
    os.register_at_fork(after_in_child=lambda: startup.guarded("processes", "seed_forked_child"))


def seed_forked_child() -> None:
    """In the child, after `random` has reseeded itself: give it its stream."""
    fork = _forking.pop(get_ident(), UNANNOUNCED)
    if fork is None:
        return
    if not _children_inherit():
        seeding.reseed_libraries()
    elif fork[1] is not None:
        sys.modules["random"].setstate(fork[1])


def watch_multiprocessing() -> None:
    """Have each multiprocessing child take its place before it runs its target.

    `BaseProcess._bootstrap` is where every start method ends up in the child, and loky's
    processes too (Lib/multiprocessing/process.py). Its own after-fork callbacks do not do:
    spawned processes skip them (Lib/multiprocessing/context.py, SpawnProcess._after_fork).
    """
    base = sys.modules["multiprocessing.process"].BaseProcess
    parent_start, bootstrap = base.start, base._bootstrap

    def start(self):  # type: ignore[no-untyped-def]
        # Travels with the process object: a fork server has an older environment than ours.
        self._seed_init_seed = seeding.job_seed()
        return parent_start(self)

    def _bootstrap(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        seed = getattr(self, "_seed_init_seed", None)
        startup.guarded("processes", "take_place", self._identity, seed)
        return bootstrap(self, *args, **kwargs)

    base.start, base._bootstrap = start, _bootstrap


def take_place(identity: tuple[int, ...], seed: int | None) -> None:
    """In a multiprocessing child: take the place that its identity names.

    Args:
        identity: the multiprocessing identity, (2, 1) for the first child of the second.
        seed: the parent's seed, which its `reseed` may have changed; None if unknown.
    """
    global path, _tree
    if seed is not None and seed != seeding.job_seed():
        seeding.reseed(seed)
    if not _children_inherit():
        _tree = _tree_of_parent
        path = (*_tree[0], "process", *identity[_tree[1] :])
        seeding.reseed_libraries()


def _children_inherit() -> bool:
    return settings.value("SEED_INIT_CHILDREN") == "inherit"
