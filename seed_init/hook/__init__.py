# SPDX-License-Identifier: Apache-2.0
"""The state of this process: what it was asked to do, its seed, and its path in the process tree.

`state` is the one object that holds them. The other modules of the hook, and the files of the
libraries, ask it; `say` and `debug` write what the user is to know.

Every part of the hook loads this module, and some load it while the start-up file still changes the
settings (SEED=random is replaced by a drawn seed). So the settings and the path are found when
something first asks for them, and this module imports nothing of the package before that.
"""

import _thread
import os
import sys
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from seed_init.hook.settings import Settings
    from seed_init.hook.streams import Path

    Origin = tuple[Path, int]
    """A path and a round: what is numbered within the streams starts from 1 in each."""

RANK_VARIABLES = {
    "RANK": "WORLD_SIZE",
    "OMPI_COMM_WORLD_RANK": "OMPI_COMM_WORLD_SIZE",
    "PMI_RANK": "PMI_SIZE",
    "PMIX_RANK": "SLURM_NTASKS",
    "SLURM_PROCID": "SLURM_NTASKS",
    "SUBMITIT_LOCAL_GLOBALID": "SUBMITIT_LOCAL_NTASKS",
}
"""Rank and number of ranks: torchrun, Open MPI, MPICH, PMIx, Slurm, submitit; the innermost
launcher first. PMIx tells no number of ranks in the environment; Slurm does, which has PMIx."""

STEP = "SLURM_STEP_ID"
"""Set in what srun has started. The batch script has SLURM_PROCID=0 and is no rank."""

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
"""Programs that a library starts as its workers, and tells nothing that a path could come from."""

LOKY = "popen_loky_posix"
"""The module that is a worker of loky; its processes are of multiprocessing's class."""

UNTOLD = ("worker",)
"""Begins the label of a worker that nobody tells its path."""


class State:
    """What every part of the hook has to know about this process. There is one: `state`.

    Attributes:
        settings: what this process was asked to do.
        path: the place of this process in the process tree. The root of a tree (a program started
            by hand, by a launcher or by `subprocess`) has the empty path, or ("rank", n) where
            ranks were asked to be distinct. A child of multiprocessing appends its number among
            its siblings (`copies`), a bare `os.fork` appends ("fork", k) for its parent's k-th
            fork. The path changes only in a child, right after it came into being.
        ends_in_random: whether the last part of the path is a random number, which no other
            process has (`random_number`).
        inherits: whether children are to go on with the streams of their parent.
        interpreter: the number of this interpreter in its process; None for the main one.
        is_forked: whether this process was forked from a Python process.
        reseeded: the seed that `seed_init.reseed(value)` has put in SEED's place; None: SEED holds.
        scope: the part of the job that runs now: in a notebook whose cells have their own streams,
            a cell; () for the whole job.
        rounds: a stack of numbers. The last one is the running round, the others wait until
            `%%seeded` ends. A round begins where the streams start over. What is numbered within
            the streams (generators without a seed, `seed_init.generator()`) is numbered by round.
        units: thread -> origin of the unit of work that the thread runs (`units`). A unit that
            has the process to itself has moved `path` and the rounds as well.
        named_from: where the paths of named streams go from (`units.Stream`): the unit of work,
            if `path` is that of one or below one; None for the program.
        loader: in a DataLoader worker, its path, and the path where its streams start instead.
        any_unseeded: whether generators were made without a seed, so that a worker may have some
            to adopt. Here and not in `unseeded`, which most processes need not load.
        drew: whether this process replaced SEED=random, so that nobody has told the seed yet.
        drew_alone: whether no entrypoint had drawn before: another program that is started beside
            this one draws its own seed.
        joined: rank and number of ranks, where the process got to know them after its start, in
            `torch.distributed.init_process_group`; None where it did not.
        worker: a name that the program has given to this process (`seed_init.worker`); None for the
            one in SEED_INIT_WORKER.
        copies: package -> its module `process`, of multiprocessing and of each copy of it.
    """

    __slots__ = (
        "_round_numbers",
        "any_unseeded",
        "copies",
        "drew",
        "drew_alone",
        "ends_in_random",
        "inherits",
        "interpreter",
        "is_forked",
        "joined",
        "loader",
        "named_from",
        "path",
        "reseeded",
        "rounds",
        "scope",
        "settings",
        "units",
        "worker",
    )

    settings: "Settings"
    path: "Path"
    ends_in_random: bool
    inherits: bool
    interpreter: int | None

    def __init__(self) -> None:
        self.is_forked = self.any_unseeded = self.drew = self.drew_alone = False
        self.reseeded: int | None = None
        self.scope: Path = ()
        self.rounds = [0]
        self._round_numbers = count(1)
        self.units: dict[int, Origin] = {}
        self.named_from: Path | None = None
        self.loader: tuple[Path, Path] | None = None
        self.joined: tuple[int, str] | None = None
        self.worker: str | None = None
        self.copies: dict[str, ModuleType] = {}

    def __getattr__(self, name: str) -> "Any":
        """Find what is asked for the first time; Python calls this where a slot is empty."""
        if name == "settings":
            from seed_init.hook.settings import read

            settings = read(lambda: self.rank() is not None)
            if not settings.is_off:  # SEED_INIT=0 holds as long as the environment says so
                self.settings = settings
            return settings
        if name not in ("path", "ends_in_random", "inherits", "interpreter"):
            raise AttributeError(f"'State' object has no attribute {name!r}")
        self.inherits = self.settings.children == "inherit"
        self.interpreter = _number_of_interpreter()
        self._find_path()
        _wait_for_package()
        return getattr(self, name)

    # --- the seed ---

    def base_seed(self) -> int | None:
        """The seed of the whole job; None where nothing is seeded.

        It is SEED, in a job that was restarted, or has its own place in an array, a seed derived
        from it, and after `reseed(value)` that value.
        """
        if _is_left_alone():
            return None
        if self.reseeded is not None:
            return self.reseeded
        settings = self.settings
        if settings.seed is None:
            return None
        return _derive(_derive(settings.seed, settings.member), settings.restart)

    def job_seed(self) -> int | None:
        """The seed that the streams of this job's present part come from; None: none is seeded."""
        seed = self.base_seed()
        return None if seed is None else _derive(seed, self.scope)

    def process_seed(self, *branch: str | int) -> int | None:
        """The seed of this process's stream, or of a branch of it; None where nothing is seeded.

        Args:
            branch: the path below this process; empty for the process itself.
        """
        seed = self.job_seed()
        return None if seed is None else _derive(seed, self.place() + branch)

    def library_seed(self) -> int | None:
        """The seed of the libraries' default generators here; None where nothing is seeded.

        It is that of the process; in a DataLoader worker it follows the seed that PyTorch gives it.
        """
        seed = self.job_seed()
        return None if seed is None else _derive(seed, self.stream_path())

    def place(self) -> "Path":
        """The path of this process; in a thread that runs a unit of work beside others, its own."""
        unit = self.units.get(_thread.get_ident()) if self.units else None
        return self.path if unit is None else unit[0]

    def origin(self) -> "Origin":
        """Where this thread's streams start, and in which round."""
        unit = self.units.get(_thread.get_ident()) if self.units else None
        return (self.stream_path(), self.rounds[-1]) if unit is None else unit

    def is_running(self, number: int) -> bool:
        """Whether a round has not ended, though it may wait."""
        # A list: other threads begin and end units meanwhile.
        return number in self.rounds or any(of == number for _, of in list(self.units.values()))

    def stream_path(self) -> "Path":
        """The path where the streams of this process start: in a DataLoader worker not its own."""
        if self.loader is not None and self.loader[0] == self.path:
            return self.loader[1]
        return self.path

    def begin_round(self) -> None:
        """Number what is made from now on within the streams from the start again."""
        self.rounds[-1] = self.new_round()

    def begin_inner_round(self) -> None:
        """Put the running round aside, and begin another one."""
        self.rounds.append(self.new_round())

    def new_round(self) -> int:
        """The number of a round, for one that is not on the stack."""
        return next(self._round_numbers)

    # --- the process ---

    def rank(self) -> tuple[int, str] | None:
        """The process's rank and the number of ranks as text ("?" if unknown), if it has one."""
        if self.joined is not None:
            return self.joined
        for name, size in RANK_VARIABLES.items():
            value = os.environ.get(name, "")
            if name == "SLURM_PROCID" and value == "0" and STEP not in os.environ:
                continue
            # Nine digits: int() raises on a text of more than 4300.
            if value.isascii() and value.isdecimal() and len(value) <= 9:
                return int(value), os.environ.get(size, "?")
        return None

    def is_main(self) -> bool:
        """True in a program's own process, false in a worker that a program made for itself."""
        # The word is there where the program is no Python but has one in it, which has a command
        # line of its own (Lib/multiprocessing/spawn.py; billiard's).
        words = {"--multiprocessing-fork", "--billiard-fork"}
        is_started = _started_as() != ("", "") or not words.isdisjoint(sys.orig_argv)
        is_inner = self.interpreter is not None
        children = map(_is_child_by, self.copies.values())
        return not (self.is_forked or is_inner or is_started or any(children))

    def root(self) -> "Path":
        """The path of this process as a program; that of a worker that nobody has told its own."""
        rank = self.rank()
        path: Path = ()
        if rank is not None and self.settings.ranks == "distinct":
            path = ("rank", rank[0])
        worker = self.worker or self.settings.values.get("SEED_INIT_WORKER")
        if worker:
            path = (*path, "worker", worker)
        if self.interpreter is None or self.inherits:
            return path
        return (*path, "interpreter", self.interpreter)

    def _find_path(self) -> None:
        """Take the path of the program; in a worker that nobody will tell its path a random one.

        To draw what the main process and all siblings draw would be worse than to draw other
        numbers in every run, which is what such a worker does without us.
        """
        package, name = _started_as()
        module = f"{package}.{name}".lstrip(".")
        root = self.root()
        is_untold = module in WORKERS or (name == "spawn" and _is_no_copy(package))
        self.ends_in_random = is_untold and not self.inherits
        self.path = (*root, *UNTOLD, module, random_number()) if self.ends_in_random else root

    def look_again(self) -> bool:
        """Where it was too early to tell: find out whether anybody will tell this process its path.

        Returns:
            Whether the process has another path now.
        """
        if self.path != self.root() or self.is_forked:
            return False
        self._find_path()
        return self.ends_in_random

    def known_path(self) -> "Path":
        """The path of this process, without a number that is another one in every run."""
        return self.path[:-1] if self.ends_in_random else self.path

    def move_to(self, path: "Path") -> None:
        """In a child, before it runs: take the path that its parent has told it."""
        self.path, self.ends_in_random = path, False

    def leave_random_path(self, package: str) -> bool:
        """Take the path of the program, for a beginning, in a worker of a package that has come.

        Returns:
            Whether this is such a worker.
        """
        if not self.ends_in_random or self.path[-2] != f"{package}.spawn":
            return False
        self.move_to(self.root())
        return True

    def give_seed(self, seed: int) -> None:
        """Put a seed of the program's in SEED's place, as `seed_init.reseed(seed)` asks for."""
        self.reseeded, self.scope = seed, ()
        # A process with a seed of its own needs no random number in its path.
        self.move_to(self.known_path())


def random_number() -> int:
    """Where a path is not known: a number that no other process will have."""
    return int.from_bytes(os.urandom(8), "little")


def _derive(seed: int, path: "Path") -> int:
    """Do as `streams.derive`, but do not load that module if there is nothing to derive."""
    if not path:
        return seed
    from seed_init.hook import streams

    return streams.derive(seed, path)


def _is_left_alone() -> bool:
    """True in the other interpreters of a process with Python 3.12, which are not seeded.

    There Python ends by a signal when another than the main interpreter was the first that hashed
    something (Python/getargs.c frees in one what the other has allocated).
    """
    return sys.version_info[:2] == (3, 12) and not _thread._is_main_interpreter()


def _number_of_interpreter() -> int | None:
    """Return the number of this interpreter in its process; None for the main interpreter.

    Before 3.13 it is None in every one: 3.11 does not tell cheaply, and in 3.12 nothing is seeded
    in the others.
    """
    if sys.version_info < (3, 13) or _thread._is_main_interpreter():
        return None
    # Counts what was made in the process, and uses no number again.
    current = __import__("_interpreters").get_current()
    return int(current[0])


def _started_as() -> tuple[str, str]:
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


def _is_no_copy(package: str) -> bool:
    """Return True for a package that starts processes like multiprocessing but is no copy of it.

    A copy imports its module `process` before all others. Before it has come, nobody knows.
    """
    process = sys.modules.get(f"{package}.process")
    return package in sys.modules and "BaseProcess" not in getattr(process, "__dict__", ())


def _wait_for_package() -> None:
    """Have the finder wait for the package that has started this worker, if it has not come yet."""
    from seed_init.hook import startup

    package, name = _started_as()
    if name == "spawn" and package not in sys.modules and startup.finder is not None:
        startup.finder.waiting.add(f"{package}.{name}")


def _is_child_by(module: "Any") -> bool:
    """True where this process is a child by the copy of multiprocessing that has this module."""
    process = module.current_process()
    # Only the main process has no parent. A spawned child is one before it knows its own.
    parent = getattr(process, "_parent_pid", None)
    return parent is not None or getattr(process, "_inheriting", False)


def like(original: "Callable[..., Any]") -> "Callable[[Callable[..., Any]], Callable[..., Any]]":
    """A decorator: look like `original` to help(), inspect and pickle.

    By hand, because functools.wraps would load functools in every process.
    """

    def dress(function: "Callable[..., Any]") -> "Callable[..., Any]":
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(original, name):
                setattr(function, name, getattr(original, name))
        function.__wrapped__ = original  # type: ignore[attr-defined]
        # torch.compile would trace into us and stop at sys._getframe with a warning.
        function._torchdynamo_disable = True  # type: ignore[attr-defined]
        return function

    return dress


def say(line: str) -> None:
    """Write a line to stderr at SEED_INIT_LOG=info and debug."""
    _write(line, ("info", "debug"))


def debug(line: str) -> None:
    """Write a line to stderr at SEED_INIT_LOG=debug."""
    _write(line, ("debug",))


def _write(line: str, levels: tuple[str, ...]) -> None:
    if state.settings.log not in levels:
        return
    try:
        if not line.isprintable():  # what others name: files, classes, errors
            from seed_init.system.terminal import one_line

            line = one_line(line)
        # sys.stderr and not file descriptor 2: in a notebook it is the cell's output.
        # One write a line: ranks share a terminal.
        sys.stderr.write(f"seed_init: {line}\n")
        sys.stderr.flush()
    except Exception:
        return  # closed, None, or a program's own object: a message is no reason to stop a run


state = State()
"""The state of this process."""
