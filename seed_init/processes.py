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

from seed_init import seeding, settings, startup, streams

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
# the length of the identity there, None for that of this process. A bare fork starts a tree of its
# own, because its child and its parent go on to number their processes alike.
_tree: tuple[streams.Path, int | None] = (path, 0)
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

    def __init__(self, path: streams.Path, others: bool, announced: bool = True) -> None:
        self.path, self.others, self.state = path, others, None
        self.locked = seeding.NONE
        job = seeding.job_seed()
        self.seed = None if job is None or _inherits else streams.derive(job, path)
        if job is not None and _inherits and "random" in sys.modules:
            self.state = sys.modules["random"].getstate()
        if announced and self.seed is not None:
            if seeding.any_unseeded:
                _unseeded_part().look()
            # Last: the less time between the lock and the fork, the better.
            if others:
                self.locked = seeding.hold_generators()


_inherits = settings.value("SEED_INIT_CHILDREN") == "inherit"

# What is being forked now, the innermost last: (thread, Fork). A number and a seed in place of the
# Fork where these are all; None for what `subprocess` forks. A list, because a signal's handler may
# fork while we prepare another fork.
_forking: "list[tuple[int, Fork | tuple[int, int | None] | None]]" = []

_starting: dict[int, streams.Path] = {}  # by thread: the place of the process that it starts

BATCH = 16
# Number and seed of the next children, the last first. Taken together in one step, since a
# thread or a signal's handler may fork at any moment.
_next: "list[tuple[int, int | None]]" = []

_former_threads = 0  # threads of the parent, which CPython goes on to count in a forked child


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
    here = get_ident()
    # 0 is this function, 1 startup.guarded, 2 the callback; behind that is who forks.
    caller = sys._getframe(2).f_back
    if caller is not None and caller.f_code.co_name == "_execute_child" and _is_subprocess(caller):
        _forking.append((here, None))
        return
    others = count_of_other_threads() > _former_threads
    place = _starting.get(here) if _starting else None
    if place is None:
        child = _number(others)
        if not (others or _inherits or seeding.any_unseeded):
            _forking.append((here, child))
            return
        place = (*path, "fork", child[0])
    _forking.append((here, Fork(path if _inherits else place, others)))


def _number(others: bool) -> "tuple[int, int | None]":
    """The next child's number, and its seed where no other thread can fork beside us."""
    try:
        return _next.pop()
    except IndexError:
        # Threads take one number at a time: in advance each would take some.
        return (next(_numbers), None) if others else _prepare()


def _prepare() -> "tuple[int, int | None]":
    """Number and derive some children in advance: in each of them it would take longer."""
    job = seeding.job_seed()
    numbers = [next(_numbers) for _ in range(BATCH)]
    children = [
        (number, None if job is None else streams.derive(job, (*path, "fork", number)))
        for number in numbers
    ]
    _next.extend(reversed(children[1:]))
    return children[0]


def forget_children() -> None:
    """The job's seed is another one: derive the next children anew."""
    global _numbers
    if _next:
        _numbers = count(min(number for number, _ in _next))
        _next.clear()


def number_anew() -> None:
    """Number forks, multiprocessing's processes and threads from the start again."""
    put_back((count(1), [], {name: count(first) for name, first in COUNTERS.items()}))


def numbers() -> "Numbers":
    """How far the numbering is, for `put_back`."""
    counters = {name: counter for name in COUNTERS if (counter := _counter(name)) is not None}
    return _numbers, list(_next), counters


def put_back(numbers: "Numbers") -> None:
    """Go on numbering from where `numbers` was called."""
    global _numbers
    _numbers, _next[:], counters = numbers
    for name, counter in counters.items():
        owner, attribute = _owner(name)
        if hasattr(owner, attribute):
            old = getattr(owner, attribute)
            setattr(owner, attribute, counter.__next__ if callable(old) else counter)


COUNTERS = {
    "multiprocessing.process:_process_counter": 1,
    "threading:_counter": 1,
    "concurrent.futures.thread:ThreadPoolExecutor._counter": 0,
}
"""Where the standard library counts what streams are named by -> the first number.

Processes go by their multiprocessing identity, threads by their name.
"""

if TYPE_CHECKING:
    Numbers = tuple[count[int], list[tuple[int, int | None]], dict[str, count[int]]]


def _owner(name: str) -> "tuple[Any, str]":
    """What has the counter, None where its module is not imported, and under which attribute."""
    module, _, path = name.partition(":")
    owner: Any = sys.modules.get(module)
    *outer, attribute = path.split(".")
    for part in outer:
        owner = getattr(owner, part, None)
    return owner, attribute


def _counter(name: str) -> "count[int] | None":
    owner, attribute = _owner(name)
    counter = getattr(owner, attribute, None)
    # Two of them are kept as their bound method `__next__`.
    counter = getattr(counter, "__self__", counter)
    return counter if isinstance(counter, count) else None


def _is_subprocess(frame: "FrameType") -> bool:
    """True where `subprocess` forks, which it does through Python only for a preexec_fn.

    Such a child runs that function and becomes another program. To seed it would be wasted,
    and could hang it where another thread draws.
    """
    return frame.f_globals.get("__name__") == "subprocess"


def after_fork_in_parent() -> None:
    """In the parent: let others draw again."""
    if len(_forking) == 1:
        fork = _forking.pop()[1]
    else:
        entry = _announced()
        if entry is None:
            return
        _forking.remove(entry)
        fork = entry[1]
    if fork.__class__ is Fork and fork.others:
        seeding.release_generators()


def _announced() -> "tuple[int, Fork | tuple[int, int | None] | None] | None":
    """What this thread is forking, or was forked as; None for a fork in C that tells nobody."""
    here = get_ident()
    for entry in reversed(_forking):
        if entry[0] == here:
            return entry
    return None


def after_fork_in_child() -> None:
    """In the child, where `random` is not imported: take the place that the parent numbered."""
    # Pillow, for instance, is imported without `random`.
    if seeding.imported_libraries():
        seed_forked_child()
    else:
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
    global _to_give
    # Where a signal interrupts it, it is called again.
    if _to_give is None:
        _to_give = _take_fork()
    seed, state = _to_give
    if state is not None:
        sys.modules["random"].setstate(state)
    elif seed is not None:
        seeding.seed_in_fork(seed)
        if seeding.any_unseeded:
            _unseeded_part().adopt()
    _to_give = None


_to_give: "tuple[int | None, Any] | None" = None  # what a forked child has still to be given


def _unseeded_part() -> "Any":
    """The module `unseeded`; loaded where a generator was made without a seed."""
    from seed_init import unseeded

    return unseeded


def _take_fork() -> "tuple[int | None, Any]":
    """Take the place that the parent numbered.

    Returns:
        The child's seed, and `random`'s state where children inherit; None for what it is not to
        be given.
    """
    global path, is_forked, _former_threads, _numbers, _tree, _tree_of_parent
    global _forking, _next, _of_parent
    entry = _announced()
    fork = entry[1] if entry is not None else None
    seed, state = None, None
    if isinstance(fork, tuple):
        place, seed = (*path, "fork", fork[0]), fork[1]
    elif entry is not None and fork is None:
        place = path
    else:
        # Forked in C, with the callbacks of the child only: such children cannot be told apart,
        # and any thread may have drawn.
        fork = fork or Fork(path if _inherits else (*path, "fork", 0), True, announced=False)
        place, seed, state = fork.path, fork.seed, fork.state
        if fork.others:
            seeding.release_generators()
            if seed is not None:
                seeding.inherit_locked(fork.locked)
    _former_threads = count_of_other_threads()
    is_forked, path, _numbers = True, place, count(1)
    _tree_of_parent, _tree = _tree, (path, None)
    # Not cleared: to let go of what is in there, its memory would have to be copied.
    _of_parent, _next, _forking = (_next, _forking), [], []
    if _starting:
        _starting.clear()
    return seed, state


_of_parent: object = None


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
        self._seed_init_held = None
        if pickled:
            self._seed_init_held = _unseeded_part().held() if seeding.any_unseeded else {}
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
        root, depth = _tree_of_parent
        _tree = root, len(identity) - 1 if depth is None else depth
        place = _place(_tree, identity)
        if place != path:  # as it is in a fork that the parent has prepared
            path = place
            seeding.reseed_libraries()
            if held or seeding.any_unseeded:
                if held is not None:
                    _unseeded_part().know_again(held)
                _unseeded_part().adopt()


def _place(tree: tuple[streams.Path, int | None], identity: tuple[int, ...]) -> streams.Path:
    root, depth = tree
    return (*root, "process", *identity[-1 if depth is None else depth :])
