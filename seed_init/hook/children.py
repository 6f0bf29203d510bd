# SPDX-License-Identifier: Apache-2.0
"""Forked children: number them, give each its path in the process tree, and so its stream.

The children of multiprocessing take their path from `copies`; a bare `os.fork` appends ("fork", k)
for its parent's k-th fork.
"""

import sys
from _thread import _count as count_of_other_threads
from _thread import get_ident
from itertools import count

from seed_init.hook import random_number, seeding, state, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from seed_init.hook.streams import Path

_numbers = count(1)  # of the forks; a step is one step under the interpreter's lock


class Fork:
    """What a forked child is to take, and what its parent has done for it.

    Attributes:
        path: the child's path.
        seed: of the child's stream; None where the child is not to be seeded.
        random: the state of `random`, which the child takes where children inherit, else None.
        has_other_threads: whether the parent has other threads, which may hold the lock of a
            generator.
        locked: the libraries that cannot be seeded in the child.
    """

    __slots__ = ("path", "seed")

    random: "Any" = None
    has_other_threads = False
    locked = seeding.NONE

    def __init__(self, path: "Path", seed: int | None) -> None:
        self.path, self.seed = path, seed


class PreparedFork(Fork):
    """A fork that needs more than a path and a seed: see `_prepared`."""

    __slots__ = ("has_other_threads", "locked", "random")

    def __init__(self, path: "Path", has_other_threads: bool) -> None:
        job = state.job_seed()
        seed = None if job is None or state.inherits else streams.derive(job, path)
        super().__init__(path, seed)
        self.has_other_threads, self.locked, self.random = has_other_threads, seeding.NONE, None
        if job is not None and state.inherits and "random" in sys.modules:
            self.random = sys.modules["random"].getstate()


# What is being forked now, the innermost last, each with the thread that forks. A list, because a
# signal's handler may fork while we prepare another fork.
_forking: "list[tuple[int, Fork]]" = []

starting: "dict[int, Path]" = {}
"""Thread -> the path of the process that it is about to fork, where that is known."""

BATCH = 16
# The next children, the last first. Taken together in one step, since a thread or a signal's
# handler may fork at any moment.
_next: "list[Fork]" = []

_former_threads = 0  # threads of the parent, which CPython goes on to count in a forked child


def before_fork() -> None:
    """In the parent: number the child that is about to be forked, and let nobody draw.

    Mostly a number and a seed are all, and these are prepared for some children at once: parent
    and child have to copy each page that they write to, and Python writes to whatever it looks at.
    """
    thread = get_ident()
    # 0 is this function, 1 startup.guarded, 2 the callback; behind that is who forks.
    caller = sys._getframe(2).f_back
    if caller is not None and caller.f_code.co_name == "_execute_child" and _is_subprocess(caller):
        _forking.append((thread, Fork(state.path, None)))
        return
    has_other_threads = count_of_other_threads() > _former_threads
    # It is for one child: what the same call forks besides, in a callback, must not be like it.
    path = starting.pop(thread, None) if starting else None
    if path is None:
        fork = _number(has_other_threads)
        if not (has_other_threads or state.inherits or state.any_unseeded):
            _forking.append((thread, fork))
            return
        path = fork.path
    _forking.append((thread, _prepared(state.path if state.inherits else path, has_other_threads)))


def _number(has_other_threads: bool) -> Fork:
    """Number the next child. If no other thread can fork meanwhile, derive its seed as well."""
    try:
        return _next.pop()
    except IndexError:
        # Threads take one number at a time: in advance each would take some.
        return (
            Fork((*state.path, "fork", next(_numbers)), None)
            if has_other_threads
            else _number_some()
        )


def _number_some() -> Fork:
    """Number and derive some children in advance: in each of them it would take longer."""
    job = state.job_seed()
    paths: list[Path] = [(*state.path, "fork", next(_numbers)) for _ in range(BATCH)]
    forks = [Fork(path, None if job is None else streams.derive(job, path)) for path in paths]
    _next.extend(reversed(forks[1:]))
    return forks[0]


def _prepared(path: "Path", has_other_threads: bool) -> PreparedFork:
    """A fork for which the parent does more.

    That is so where there are other threads, where children inherit, where multiprocessing has told
    the path, and where the child may hold generators that were made without a seed.
    """
    fork = PreparedFork(path, has_other_threads)
    if fork.seed is not None:
        if state.any_unseeded:
            _unseeded().find()
        # Last: the less time between the lock and the fork, the better.
        if has_other_threads:
            fork.locked = seeding.lock_generators()
    return fork


def _unseeded() -> "Any":
    """The module `unseeded`; loaded where a generator was made without a seed."""
    from seed_init.hook import unseeded

    return unseeded


def forget_prepared() -> None:
    """The job's seed is another one: derive the next children anew."""
    global _numbers
    if _next:
        _numbers = count(min(int(fork.path[-1]) for fork in _next))
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
    Numbers = tuple[count[int], list[Fork], dict[str, count[int]]]


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
    """Return whether `subprocess` forks, which calls Python's fork callbacks only for a preexec_fn.

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
    if fork.has_other_threads:
        seeding.unlock_generators()


def _announced() -> "tuple[int, Fork] | None":
    """Return the fork of this thread, as parent or as child; None for a fork in C alone."""
    thread = get_ident()
    for entry in reversed(_forking):
        if entry[0] == thread:
            return entry
    return None


def after_fork_in_child() -> None:
    """In the child, where `random` is not imported: take the path that the parent numbered."""
    # Pillow, for instance, is imported without `random`.
    if seeding.imported_libraries():
        seed_forked_child()
    else:
        _take_fork()


def seed_forked_child() -> None:
    """In the child, after `random` has reseeded itself: take the path and its stream."""
    global _taken
    # Where a signal interrupts it, it is called again.
    if _taken is None:
        _taken = _take_fork()
    if _taken.random is not None:
        sys.modules["random"].setstate(_taken.random)
    elif _taken.seed is not None:
        seeding.seed_in_fork(_taken.seed)
        if state.any_unseeded:
            _unseeded().adopt()
    _taken = None


_taken: Fork | None = None  # what a forked child has still to be given


def _take_fork() -> Fork:
    """Take the path that the parent numbered."""
    global _former_threads, _numbers, _forking, _next, _of_parent
    entry = _announced()
    # Forked in C, with the callbacks of the child only: nobody has numbered it, and any thread
    # may have drawn.
    is_unknown = entry is None and not state.inherits
    if entry is None:
        unknown = (*state.path, "fork", 0, random_number()) if is_unknown else state.path
        fork: Fork = PreparedFork(unknown, has_other_threads=True)
    else:
        fork = entry[1]
    state.path, state.ends_in_random = fork.path, is_unknown
    if fork.has_other_threads:
        seeding.unlock_generators()
        if fork.seed is not None:
            seeding.inherit_locked(fork.locked)
    _former_threads = count_of_other_threads()
    state.is_forked, _numbers = True, count(1)
    # Not cleared: to let go of what is in there, its memory would have to be copied.
    _of_parent, _next, _forking = (_next, _forking), [], []
    if starting:
        starting.clear()
    if state.units:
        sys.modules["seed_init.hook.units"].forget()
    return fork


_of_parent: object = None
