# SPDX-License-Identifier: Apache-2.0
"""Units of work: a task, a trial, a partition. Each starts every stream anew, at its own path.

A process tree does not tell which workers are independent: an engine starts its workers as
programs of their own, and each of them would draw what all the others draw. The engine's identity
of a unit does tell. So a unit's streams start at a path that is made of this identity, and the
same unit draws the same numbers in whichever worker it runs.

`begin` and `end` are for the adapters of engines (`seed_init.engines`), `Stream` is behind
`seed_init.stream`.

Three things may be around a unit:

- A worker process that runs one unit at a time: the unit takes the whole process.
- A program, or another unit, that waits in the same thread until the unit has ended: its streams
  are put aside meanwhile.
- Other threads, which draw from the same global generators. There only what is numbered by thread
  can follow the unit: generators that are made without a seed, and `seed_init.generator()`. The
  global generators go on as they are. A unit that waits for others, because its thread has left
  the place to theirs (`wait`), is put aside while one of these runs.
"""

import sys
from _thread import get_ident

from seed_init.hook import children, random_number, rounds, seeding, startup, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from seed_init.hook.streams import Path

LEAVE = ("left", "unit")
"""Begins the path of a unit under SEED_INIT_TASKS=leave."""

_NOTHING: frozenset[str] = frozenset()

_running: "list[Unit]" = []  # of all threads, in the order of their beginnings
_waiting: "list[Unit]" = []  # have begun, and let others run (`wait`)
_holders: "list[Unit]" = []  # that `begin` has given the process to; the last one has it now
_stays: "Unit | None" = None  # what this process is for the rest of its life (`stay`)

BEGUN, RETURNED = "begun", "returned"

watch: "Callable[[str, Unit], None] | None" = None
"""Told, where a run is observed, of each unit that has `BEGUN`, and of each whose code has
`RETURNED`, while its streams are still there."""

sent: "dict[str, int]" = {}
"""Engine -> how many units this process has submitted to it; 0 if nobody has counted them."""


class Unit:
    """A unit of work that runs, from `begin` to `end`.

    Attributes:
        path: where its streams start.
        engine: which engine's it is, for `status`.
        is_guest: whether the process does other things meanwhile, as its adapter has said
            (`shared`). Then what other threads begin does not make way for it.
        has_ended: whether it only keeps the process until those end that began after it.
        rank: in a training job, for whoever observes the run; None for none, or if it is that of
            the process.
    """

    __slots__ = (
        *("_aside", "_former", "_taken", "engine", "has_ended", "is_guest", "path", "rank"),
        "thread",
    )

    _taken: "tuple[Path, bool, Path | None] | None"

    def __init__(self, engine: str, path: "Path", is_guest: bool = False) -> None:
        self.engine, self.path, self.thread = engine, path, get_ident()
        self.is_guest = is_guest
        self._former = state.units.get(self.thread)
        self._aside: rounds.Streams | None = None
        self._taken = None
        self.has_ended = False
        self.rank: int | None = None

    @property
    def has_company(self) -> bool:
        """Whether other threads draw from the global generators while it runs."""
        return self._taken is None

    @property
    def is_aside(self) -> bool:
        """Whether what ran before goes on with its own streams when the unit has ended."""
        return self._aside is not None

    def run(self, aside: bool, keep: frozenset[str] = _NOTHING) -> None:
        """Start the streams at the path of the unit.

        Args:
            aside: whether what runs now goes on when the unit has ended.
            keep: as in `begin`.
        """
        if aside:
            self._aside = rounds.Streams()
        self._taken = state.path, state.ends_in_random, state.named_from
        state.begin_inner_round()
        state.move_to(self.path)
        state.named_from = self.path
        state.units[self.thread] = self.path, state.rounds[-1]
        children.number_anew()
        seeding.reseed_for_unit(keep)

    def run_in_company(self) -> None:
        """Start only what is numbered by thread at the path of the unit."""
        state.units[self.thread] = self.path, state.new_round()

    def end(self) -> None:
        """Let the thread be what it was."""
        self.has_ended = True
        state.units.pop(self.thread, None)
        if self._former is not None:
            state.units[self.thread] = self._former

    def give_back(self) -> None:
        """Let the process be what it was. What was put aside goes on."""
        if self._taken is None:
            return
        path, is_random, state.named_from = self._taken
        state.move_to(path)
        state.ends_in_random = is_random
        if self._aside is not None:
            self._aside.resume()
        else:
            # The worker's own round: what it numbers between two units never starts over.
            del state.rounds[-1:]


def _is_shared(aside: bool) -> bool:
    """Whether other threads draw from this process's global generators."""
    threading, thread = sys.modules.get("threading"), get_ident()
    # Of this thread, the guest; of others, whoever is none.
    if any((unit.thread == thread) == unit.is_guest for unit in list(_running)):
        return True
    is_main = threading is None or thread == threading.main_thread().ident
    return aside and not is_main and thread not in state.units


def begin(
    engine: str,
    path: "Path",
    *,
    seed: int | None = None,
    aside: bool = False,
    shared: bool = False,
    keep: frozenset[str] = _NOTHING,
) -> Unit | None:
    """Begin a unit of work in this thread.

    Args:
        engine: its engine's name, as users know it.
        path: the identity of the unit, below the path of who has submitted it.
        seed: the job's seed where the unit was submitted (`state.job_seed()`); None if nobody has
            told it: that of this process holds.
        aside: whether this process does other things than units. Then its streams are put aside
            where they are this thread's alone, and not touched where they are not.
        shared: whether the adapter knows of other threads that draw from this process's global
            generators.
        keep: libraries whose default generators go on as they are, because the program has seeded
            them for the units to come.

    Returns:
        What `end` takes; None where units have no streams of their own.

    """
    policy = state.settings.tasks
    if policy not in ("distinct", "leave") or (seed is None and state.job_seed() is None):
        return None
    if policy == "leave":
        path = (*LEAVE, random_number())
    elif seed is not None and seed != state.job_seed():
        if _running or aside:
            path = ("seed", seed, *path)
        else:
            rounds.take_seed(seed)
    unit = Unit(engine, path, shared)
    if shared or _is_shared(aside):
        unit.run_in_company()
    else:
        # A signal must not leave it half done.
        aside = aside or unit.thread in state.units or bool(_waiting)
        startup.guarded("hook.units", "run", unit, aside, keep)
        _holders.append(unit)
    _running.append(unit)
    if watch is not None:
        watch(BEGUN, unit)
    return unit


def run(unit: Unit, aside: bool, keep: frozenset[str]) -> None:
    """`Unit.run`, for `startup.guarded`."""
    unit.run(aside, keep)


def end(unit: Unit | None) -> None:
    """End a unit of work.

    Args:
        unit: what `begin` returned.
    """
    returned(unit)
    if unit in _running:
        _running.remove(unit)
    elif unit in _waiting:
        _waiting.remove(unit)
    else:
        return  # it has ended, or this is a forked child
    unit.end()
    if unit not in _holders:
        unit.give_back()
    while _holders and _holders[-1].has_ended:
        _holders.pop().give_back()


def returned(unit: Unit | None) -> None:
    """Tell whoever observes this run that a unit's code has returned: nothing more is drawn in it.

    For an adapter that calls `end` only when the next unit begins, or never. `end` does this as
    well. For a unit that is its process (`stay`), the last call counts.

    Args:
        unit: what `begin` returned.
    """
    if watch is not None and unit is not None:
        watch(RETURNED, unit)


def submitted(engine: str, number: int) -> None:
    """Count units that this process submits, so that a run knows of those that nobody has seen.

    Args:
        engine: as `begin` has it.
        number: how many; 0 if there are some, and the engine decides how many.
    """
    sent[engine] = sent.get(engine, 0) + number


def wait() -> None:
    """Let units of other threads have the process, while those of this thread wait for them.

    The streams are put aside while another unit has the process. `go_on` ends that; a unit may also
    end without it.
    """
    _move(_running, _waiting)


def go_on() -> None:
    """Take up the units of this thread that wait; those of other threads have ended."""
    _move(_waiting, _running)


def _move(source: "list[Unit]", target: "list[Unit]") -> None:
    thread = get_ident()
    for unit in [each for each in source if each.thread == thread]:
        source.remove(unit)
        target.append(unit)


def stay(unit: Unit | None) -> None:
    """Let this process be what a unit has made of it: the constructor of an actor, for instance.

    What this process runs, numbers and forks from now on is below the unit.

    Args:
        unit: what `begin` returned, without `aside`.
    """
    global _stays
    if unit in _running:
        _running.remove(unit)
        if unit in _holders:
            _holders.remove(unit)
        state.units.pop(unit.thread, None)
        _stays = unit


def path_outside() -> "Path":
    """The path of this process, apart from the units that it runs, without a random number."""
    for unit in (_stays, *_holders):
        if unit is not None and unit._taken is not None:
            path, is_random, _ = unit._taken
            return path[:-1] if is_random else path
    return state.known_path()


def lasting() -> Unit | None:
    """The unit that this process is for the rest of its life (`stay`); None for none."""
    return _stays


def current() -> Unit | None:
    """The unit of work that this thread runs, or that the whole process is of; None for none."""
    thread = get_ident()
    for unit in reversed(_running):
        if unit.thread == thread or unit.path == state.path:
            return unit
    return _stays if _stays is not None and _stays.path == state.path else None


class Stream:
    """Every stream started over at a path of the user's choice; see `seed_init.stream`.

    The streams start when the object is made. If nobody enters it, the streams stay, until the next
    such object takes their place.
    """

    def __init__(self, parts: "Path") -> None:
        """Start the streams.

        Args:
            parts: the path, below the unit of work or else the program.
        """
        global _called
        self._unit: Unit | None = None
        self._former = _called if _called is not None and _called._is_on() else None
        self._round: int | None = None
        if state.job_seed() is None:
            return
        self._base: Path = _named_from() if self._former is None else self._former._base
        unit = self._unit = Unit("stream", (*self._base, "stream", *parts))
        if any(other.thread != unit.thread and not other.is_guest for other in list(_running)):
            unit.run_in_company()
        else:
            startup.guarded("hook.units", "run", unit, True, _NOTHING)
            if self._former is not None:
                self._round = state.rounds.pop(-2)  # mostly for ever: calls follow each other
        self._origin = state.units[unit.thread]
        _called = self

    def _is_on(self) -> bool:
        return self._unit is not None and state.units.get(get_ident()) == self._origin

    def __enter__(self) -> "Stream":
        global _called
        if self._unit is not None:
            if not self._is_on():
                raise RuntimeError("this stream has ended; write `with seed_init.stream(...):`")
            if self._round is not None:
                state.rounds.insert(-1, self._round)
            _running.append(self._unit)
            _called = None
        return self

    def __exit__(self, *_: object) -> None:
        global _called
        if self._unit is not None:
            end(self._unit)
            _called = self._former


_called: Stream | None = None  # the last one that was made and not entered


def _named_from() -> "Path":
    """Where named streams go from: the unit of work, or the program."""
    unit = state.units.get(get_ident())
    if unit is not None:
        return unit[0]
    return state.root() if state.named_from is None else state.named_from


def forget() -> None:
    """In a forked child: no unit of its parent's runs here."""
    global _called, _stays
    for units in (_running, _waiting, _holders):
        units.clear()
    state.units.clear()
    sent.clear()
    _called = _stays = None
