"""Which process this is: its rank, its place in the process tree, and so its stream.

The root of a tree (a program started by hand, by a launcher or by `subprocess`) has the
empty path, or ("rank", n) where ranks were asked to be distinct. A child of multiprocessing
(fork, spawn, forkserver; loky builds on the same class) appends ("process", k, ...) with its
multiprocessing identity; a bare `os.fork` appends ("fork", k) for its parent's k-th fork.
"""

import os
import sys
from _thread import get_ident

from seed_init import seeding, startup, streams

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
        if value.isascii() and value.isdecimal():
            return int(value), os.environ.get(size, "?")
    return None


def _root_path() -> streams.Path:
    here = rank()
    if here is not None and _policy("SEED_INIT_RANKS") == "distinct":
        return ("rank", here[0])
    return ()


def _policy(name: str) -> str:
    return startup.settings[name] if startup.settings is not None else ""


path: streams.Path = _root_path()
"""This process's place; changes only in a child, right after it came into being."""

# (path, depth) of the process in which the multiprocessing identities below start: depth is
# the length of the identity there. A bare fork starts a tree of its own, because its child
# and its parent go on to number their processes alike.
_tree: tuple[streams.Path, int] = (path, 0)
_tree_of_parent = _tree

_forked = False
_forks = 0
_forking: dict[int, tuple[int, object]] = {}  # by thread: which fork it makes, random's state


def is_main() -> bool:
    """True in a program's own process, false in a worker that a program made for itself."""
    process = sys.modules.get("multiprocessing.process")
    spawned = process is not None and (
        process.parent_process() is not None
        or getattr(process.current_process(), "_inheriting", False)
    )
    # torch.compile starts its workers as a program of their own.
    compiling = sys.argv[:1] and sys.argv[0].endswith("compile_worker/__main__.py")
    return not (_forked or spawned or compiling)


def before_fork() -> None:
    """In the parent: number the child that is about to be forked."""
    global _forks
    _forks += 1
    random = sys.modules.get("random") if _policy("SEED_INIT_CHILDREN") == "inherit" else None
    _forking[get_ident()] = (_forks, random.getstate() if random is not None else None)


def after_fork_in_child() -> None:
    """In the child: take the place that the parent numbered.

    Seeds nothing yet: `random` reseeds itself from the OS in a callback that runs after this
    one, and `_seed_forked_child` runs after both.
    """
    global path, _forked, _forks, _tree, _tree_of_parent
    path += ("fork", _forking[get_ident()][0])
    _forked, _forks = True, 0
    process = sys.modules.get("multiprocessing.process")
    identity = process.current_process()._identity if process is not None else ()
    _tree_of_parent, _tree = _tree, (path, len(identity))


def follow_random() -> None:
    """Register the callback that seeds forked children; called when `random` is imported.

    Callbacks in the child run in the order of their registration, and `random` registers
    its reseed from the OS while it is imported (Lib/random.py, end).
    """
    os.register_at_fork(after_in_child=_seed_forked_child)


def _seed_forked_child() -> None:
    try:
        state = _forking[get_ident()][1]
        if state is not None:
            sys.modules["random"].setstate(state)
        elif _policy("SEED_INIT_CHILDREN") == "distinct":
            seeding.reseed_libraries()
    except BaseException as error:
        startup.fail(error)


def watch_multiprocessing() -> None:
    """Have each multiprocessing child take its place, under every start method.

    `Process._bootstrap` runs these callbacks in the child once it knows its identity
    (Lib/multiprocessing/process.py); loky's processes inherit `_bootstrap`.
    """
    util = sys.modules["multiprocessing.util"]
    util.register_after_fork(sys.modules[__name__], _take_place_in_tree)


def _take_place_in_tree(_: object) -> None:
    global path, _tree
    try:
        identity = sys.modules["multiprocessing.process"].current_process()._identity
        _tree = _tree_of_parent
        path = _tree[0] + ("process", *identity[_tree[1] :])
        if _policy("SEED_INIT_CHILDREN") == "distinct":
            seeding.reseed_libraries()
    except BaseException as error:
        startup.fail(error)
