# SPDX-License-Identifier: Apache-2.0
"""Which process this is: its rank, its place in the process tree, and so its stream.

The root of a tree (a program started by hand, by a launcher or by `subprocess`) has the
empty path, or ("rank", n) where ranks were asked to be distinct. A child of multiprocessing
appends its number among its siblings, see `copies`; a bare `os.fork` appends ("fork", k) for its
parent's k-th fork.
"""

import _thread
import os
import sys
from _thread import _count as count_of_other_threads
from _thread import get_ident
from itertools import count

from seed_init.hook import seeding, settings, startup, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, ModuleType
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


modules: "dict[str, ModuleType]" = {}
"""Package -> its module `process`, of multiprocessing and of each copy of it: by `copies`."""

HELPERS = (
    ("spawn", "spawn_main"),
    ("forkserver", "main"),
    ("resource_tracker", "main"),
    ("semaphore_tracker", "main"),
)
"""What a copy of multiprocessing starts by `python -c "from PACKAGE.MODULE import FUNCTION; ..."`.

Lib/multiprocessing/spawn.py, forkserver.py, resource_tracker.py; loky's are named alike.
"""

WORKERS = ("anyio.to_process", "ppft")
"""Programs that a library starts as its workers, and tells nothing that a place could come from."""

LOKY = "popen_loky_posix"
"""The module that is a worker of loky; its processes are of multiprocessing's class."""

STRANGE = ("worker",)
"""Begins the label of a worker whose place nobody tells."""

inherits = settings.value("SEED_INIT_CHILDREN") == "inherit"
"""Whether children are to go on with the streams of their parent."""


def _started() -> tuple[str, str]:
    """Package and module of what a library has started as its worker or helper.

    From the command line, which is there before any module could tell. ("", "") for any other
    program.
    """
    words = iter(sys.orig_argv[1:])
    for word in words:
        if word in ("-W", "-X"):
            next(words, "")
        elif word == "-m":
            module = next(words, "")
            package, _, name = module.rpartition(".")
            return (package, name) if module in WORKERS or name == LOKY else ("", "")
        elif word == "-c":
            code = next(words, "").partition(";")[0].split()
            package, _, name = code[1].rpartition(".") if len(code) == 4 else ("", "", "")
            return (package, name) if (name, *code[3:]) in HELPERS else ("", "")
        elif word.endswith("compile_worker/__main__.py"):
            return "torch._inductor.compile_worker", "__main__"
        elif word[:1] != "-":
            break
    return "", ""


def _interpreter() -> int | None:
    """The number of this interpreter in its process; None for the main one.

    Before 3.13 it is None in every one: 3.11 does not tell cheaply, and in 3.12 nothing is seeded
    in the others (`seeding.base_seed`).
    """
    if sys.version_info < (3, 13) or _thread._is_main_interpreter():
        return None
    # Counts what was made in the process, and uses no number again.
    current = __import__("_interpreters").get_current()
    return int(current[0])


interpreter = _interpreter()
"""`_interpreter`, which stays as it is."""


def root() -> streams.Path:
    """The place of this process as a program; that of a worker before anybody has told it more."""
    here = rank()
    place: streams.Path = ()
    if here is not None and settings.value("SEED_INIT_RANKS") == "distinct":
        place = ("rank", here[0])
    return place if interpreter is None or inherits else (*place, "interpreter", interpreter)


def _first_place() -> streams.Path:
    """`root`, but in a worker whose place nobody will tell: there one that no other process has.

    To draw what the main process and all siblings draw would be worse than to draw other numbers
    in every run, which is what such a worker does without us.
    """
    package, name = _started()
    module = f"{package}.{name}".lstrip(".")
    if inherits or not (module in WORKERS or (name == "spawn" and _is_strange(package))):
        return root()
    return (*root(), *STRANGE, module, _any_number())


def _is_strange(package: str) -> bool:
    """True for what starts processes as multiprocessing does, but is no copy of it.

    A copy imports its module `process` before all others. Before it has come, nobody knows.
    """
    process = sys.modules.get(f"{package}.process")
    return package in sys.modules and "BaseProcess" not in getattr(process, "__dict__", ())


def _any_number() -> int:
    """Where a place is not known: a number that no other process will have."""
    return int.from_bytes(os.urandom(8), "little")


path: streams.Path = _first_place()
"""This process's place; changes only in a child, right after it came into being."""

_ends_with_any = path != root()
"""Whether the last part of the place is `_any_number`."""


def look_again() -> bool:
    """Where it was too early to tell: find out whether anybody will tell this process its place.

    Returns:
        Whether it has another place now.
    """
    global path, _ends_with_any
    if path != root() or is_forked:
        return False
    path = _first_place()
    _ends_with_any = path != root()
    return _ends_with_any


def _wait_for_more() -> None:
    package, name = _started()
    if name == "spawn" and package not in sys.modules and startup.finder is not None:
        startup.finder.waiting.add(f"{package}.{name}")


_wait_for_more()


def known_place() -> streams.Path:
    """The place of this process, without a number that is another one in every run."""
    return path[:-1] if _ends_with_any else path


def leave_strange_place(package: str) -> bool:
    """Take the place of the program, for a beginning, in a worker of a package that has come.

    Returns:
        Whether this is such a worker.
    """
    global path, _ends_with_any
    if not _ends_with_any or path[-2] != f"{package}.spawn":
        return False
    path, _ends_with_any = root(), False
    return True


def name_by_seed() -> None:
    """The program gives this process a seed of its own: its place needs no other number."""
    global path, _ends_with_any
    if _ends_with_any:
        path, _ends_with_any = path[:-1], False


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
        self.seed = None if job is None or inherits else streams.derive(job, path)
        if job is not None and inherits and "random" in sys.modules:
            self.state = sys.modules["random"].getstate()
        if announced and self.seed is not None:
            if seeding.any_unseeded:
                _unseeded_part().look()
            # Last: the less time between the lock and the fork, the better.
            if others:
                self.locked = seeding.hold_generators()


# What is being forked now, the innermost last: (thread, Fork). A number and a seed in place of the
# Fork where these are all; None for what `subprocess` forks. A list, because a signal's handler may
# fork while we prepare another fork.
_forking: "list[tuple[int, Fork | tuple[int, int | None] | None]]" = []

starting: dict[int, streams.Path] = {}
"""Thread -> the place of the process that it is about to fork, where that is known."""

BATCH = 16
# Number and seed of the next children, the last first. Taken together in one step, since a
# thread or a signal's handler may fork at any moment.
_next: "list[tuple[int, int | None]]" = []

_former_threads = 0  # threads of the parent, which CPython goes on to count in a forked child


def is_main() -> bool:
    """True in a program's own process, false in a worker that a program made for itself."""
    # The word is there where the program is no Python but has one in it, which has a command line
    # of its own (Lib/multiprocessing/spawn.py; billiard's).
    words = {"--multiprocessing-fork", "--billiard-fork"}
    is_started = _started() != ("", "") or not words.isdisjoint(sys.orig_argv)
    is_inner = interpreter is not None
    return not (is_forked or is_inner or is_started or any(map(_is_in_child, modules.values())))


def _is_in_child(module: "Any") -> bool:
    """True where this process is a child by the copy of multiprocessing that has this module."""
    process = module.current_process()
    # Only the main process has no parent. A spawned child is one before it knows its own.
    parent = getattr(process, "_parent_pid", None)
    return parent is not None or getattr(process, "_inheriting", False)


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
    place = starting.get(here) if starting else None
    if place is None:
        child = _number(others)
        if not (others or inherits or seeding.any_unseeded):
            _forking.append((here, child))
            return
        place = (*path, "fork", child[0])
    _forking.append((here, Fork(path if inherits else place, others)))


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
            after_in_child=lambda: startup.guarded("hook.children", "seed_forked_child")
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
    from seed_init.hook import unseeded

    return unseeded


def _take_fork() -> "tuple[int | None, Any]":
    """Take the place that the parent numbered.

    Returns:
        The child's seed, and `random`'s state where children inherit; None for what it is not to
        be given.
    """
    global path, is_forked, _former_threads, _numbers, _forking, _next, _of_parent, _ends_with_any
    entry = _announced()
    fork = entry[1] if entry is not None else None
    seed, state, is_unknown = None, None, False
    if isinstance(fork, tuple):
        place, seed = (*path, "fork", fork[0]), fork[1]
    elif entry is not None and fork is None:
        place = path
    else:
        # Forked in C, with the callbacks of the child only: nobody has numbered it, and any thread
        # may have drawn.
        is_unknown = fork is None and not inherits
        unknown = (*path, "fork", 0, _any_number()) if is_unknown else path
        fork = fork or Fork(unknown, True, announced=False)
        place, seed, state = fork.path, fork.seed, fork.state
        if fork.others:
            seeding.release_generators()
            if seed is not None:
                seeding.inherit_locked(fork.locked)
    _former_threads = count_of_other_threads()
    is_forked, path, _numbers = True, place, count(1)
    _ends_with_any = is_unknown
    # Not cleared: to let go of what is in there, its memory would have to be copied.
    _of_parent, _next, _forking = (_next, _forking), [], []
    if starting:
        starting.clear()
    return seed, state


_of_parent: object = None


def move_to(place: streams.Path) -> None:
    """In a child, before it runs: take the place that its parent has told it."""
    global path, _ends_with_any
    path, _ends_with_any = place, False
