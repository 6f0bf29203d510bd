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
from itertools import count

from seed_init import seeding, settings, startup, streams, unseeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

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

_numbers = count(1)  # of the forks; a step is one step under the interpreter's lock


class Fork:
    """A fork that needs more than a number.

    There are other threads, children inherit, their place is known, or there may be generators
    to adopt.

    Attributes:
        path: the child's place.
        seed: of its stream; None where nothing is seeded, or where children inherit.
        state: `random`'s, where children inherit.
        locked: the libraries that cannot be seeded.
        others: whether there are other threads.
    """

    __slots__ = ("locked", "others", "path", "seed", "state")

    def __init__(self, path: streams.Path, others: bool) -> None:
        self.path, self.others, self.state = path, others, None
        job = None if _inherits else seeding.job_seed()
        self.seed = None if job is None else streams.derive(job, path)
        if _inherits and "random" in sys.modules:
            self.state = sys.modules["random"].getstate()
        unseeded.look()
        # Last: the less time between the lock and the fork, the better.
        self.locked = seeding.hold_generators() if others else seeding.NONE


_inherits = settings.value("SEED_INIT_CHILDREN") == "inherit"

# By thread, while it forks, if a number is not all; None for what `subprocess` forks.
_forking: "dict[int, Fork | None]" = {}

_starting: dict[int, streams.Path] = {}  # by thread: the place of the process that it starts

BATCH = 16
_seeds: list[int] = []  # of the next children, the last first

# Of the child that is forked now, where these are all: its number and its seed.
_number = 0
_seed_of_child: int | None = None

_is_forking = False  # between the callbacks before and after a fork


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
    """In the parent: number the child that is about to be forked, and let nobody draw.

    Mostly a number is all: parent and child have to copy each page that they write to, and
    Python writes to whatever it looks at. What can wait is done in the child.
    """
    global _is_forking, _number, _seed_of_child
    _is_forking = True
    # 0 is this function, 1 startup.guarded, 2 the callback; behind that is who forks.
    caller = sys._getframe(2).f_back
    if caller is not None and caller.f_code.co_name == "_execute_child" and _is_subprocess(caller):
        _forking[get_ident()] = None
        return
    others = count_of_other_threads() > 0
    place = _starting.get(get_ident()) if _starting else None
    if place is None:
        number = next(_numbers)
        if not (others or _inherits or unseeded.any_made):
            _number = number
            _seed_of_child = _seeds.pop() if _seeds else _next_seeds(number)
            return
        place = (*path, "fork", number)
    _seeds.clear()
    _forking[get_ident()] = Fork(path if _inherits else place, others)


def _next_seeds(number: int) -> int | None:
    """Derive the seeds of the next children, this one's first: in the child it takes longer."""
    job = seeding.job_seed()
    if job is None:
        return None
    numbers = range(number, number + BATCH)
    _seeds[:] = [streams.derive(job, (*path, "fork", each)) for each in reversed(numbers)]
    return _seeds.pop()


def forget_seeds() -> None:
    """The job's seed is another one: derive the children's anew."""
    _seeds.clear()


def _is_subprocess(frame: "FrameType") -> bool:
    """True where `subprocess` forks, which it does through Python only for a preexec_fn.

    Such a child runs that function and becomes another program. To seed it would be wasted,
    and could hang it where another thread draws.
    """
    return frame.f_globals.get("__name__") == "subprocess"


def after_fork_in_parent() -> None:
    """In the parent: let others draw again."""
    global _is_forking
    _is_forking = False
    if _forking:
        fork = _forking.pop(get_ident(), None)
        if fork is not None and fork.others:
            seeding.release_generators()


def after_fork_in_child() -> None:
    """In the child, where `random` is not imported: take the place that the parent numbered."""
    _take_fork()


def follow_random() -> None:
    """Have forked children seeded after `random`; called when it is imported.

    Callbacks in the child run in the order of their registration, and `random` registers
    its reseed from the OS while it is imported (Lib/random.py, end).
    """
    if not startup.follows_random:
        startup.follows_random = True
        os.register_at_fork(
            after_in_child=lambda: startup.guarded("processes", "seed_forked_child")
        )


def seed_forked_child() -> None:
    """In the child, after `random` has reseeded itself: take the place and its stream."""
    if not _take_fork():
        return
    if _state_of_parent is not None:
        sys.modules["random"].setstate(_state_of_parent)
    elif not _inherits and _seed_of_child is not None:
        seeding.seed_in_fork(_seed_of_child)
        if unseeded.any_made:
            unseeded.adopt()


_state_of_parent: "Any" = None  # random's, in a child that inherits


def _take_fork() -> bool:
    """Take the place that the parent numbered; False in a child that `subprocess` forked."""
    global path, is_forked, _is_forking, _numbers, _tree, _tree_of_parent
    global _seed_of_child, _state_of_parent
    is_announced, others, lost = _is_forking, False, seeding.NONE
    place = path if _inherits else (*path, "fork", _number)
    is_forked, _is_forking, _numbers = True, False, count(1)
    if _seeds:
        _seeds.clear()
    if _forking:
        here = get_ident()
        is_known, fork = here in _forking, _forking.get(here)
        _forking.clear()  # what is left belongs to threads that are not here
        if fork is not None:
            is_announced, place, others, lost = True, fork.path, fork.others, fork.locked
            _seed_of_child, _state_of_parent = fork.seed, fork.state
        elif is_known:
            return False
        else:
            is_announced = False
    if not is_announced:
        # Forked in C, with the callbacks of the child only. Such children cannot be told apart,
        # and any thread may have drawn.
        others, place = True, path if _inherits else (*path, "fork", 0)
        job = seeding.job_seed()
        _seed_of_child = None if job is None else streams.derive(job, place)
    if others:
        seeding.release_generators()
        if not _inherits:
            seeding.inherit_locked(lost)
    path = place
    process = sys.modules.get("multiprocessing.process")
    depth = 0 if process is None else len(process.current_process()._identity)
    _tree_of_parent, _tree = _tree, (path, depth)
    return True


def watch_multiprocessing() -> None:
    """Have each multiprocessing child take its place before it runs its target.

    `BaseProcess._bootstrap` is where every start method ends up in the child, and loky's
    processes too (Lib/multiprocessing/process.py). Its own after-fork callbacks do not do:
    spawned processes skip them (Lib/multiprocessing/context.py, SpawnProcess._after_fork).
    """
    base = sys.modules["multiprocessing.process"].BaseProcess
    parent_start, bootstrap = base.start, base._bootstrap

    def start(self):  # type: ignore[no-untyped-def]
        here, pickled = get_ident(), _is_pickled(self)
        # Travels with the process object: a fork server has an older environment than ours.
        self._seed_init_seed = seeding.job_seed()
        self._seed_init_held = unseeded.held() if pickled else None
        if not pickled:
            _starting[here] = _place(_tree, self._identity)
        try:
            return parent_start(self)
        finally:
            _starting.pop(here, None)

    def _bootstrap(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        seed = getattr(self, "_seed_init_seed", None)
        held = getattr(self, "_seed_init_held", None)
        startup.guarded("processes", "take_place", self._identity, seed, held)
        return bootstrap(self, *args, **kwargs)

    base.start, base._bootstrap = start, _bootstrap


def _is_pickled(process: "Any") -> bool:
    """True where the child gets its arguments by pickle, not by being a copy of its parent."""
    method = getattr(process, "_start_method", None)
    if method is None:  # the default one, which `start` is about to settle as well
        method = sys.modules["multiprocessing"].get_start_method()
    return bool(method != "fork")


def take_place(
    identity: tuple[int, ...], seed: int | None, held: "dict[str, Any] | None" = None
) -> None:
    """In a multiprocessing child: take the place that its identity names.

    Args:
        identity: the multiprocessing identity, (2, 1) for the first child of the second.
        seed: the parent's seed, which its `reseed` may have changed; None if unknown.
        held: what the parent's `unseeded.held` gave; None for a copy of the parent.
    """
    global path, _tree
    if seed is not None and seed != seeding.job_seed():
        seeding.reseed(seed)
    if not _inherits:
        _tree = _tree_of_parent
        place = _place(_tree, identity)
        if place != path:  # as it is in a fork that the parent has prepared
            path = place
            seeding.reseed_libraries()
            if held is not None:
                unseeded.know_again(held)
            unseeded.adopt()


def _place(tree: tuple[streams.Path, int], identity: tuple[int, ...]) -> streams.Path:
    return (*tree[0], "process", *identity[tree[1] :])
