# SPDX-License-Identifier: Apache-2.0
"""Seed the libraries that are imported, with this process's stream, and say so once."""

import _thread
import sys
from itertools import count

from seed_init.hook import settings as contract
from seed_init.hook import startup, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

after_import: "dict[str, list[Callable[[], None]]]" = {}
"""Library -> what else is to be called when it has been imported: an observer's instruments."""

seeded: dict[str, int] = {}
"""Library (the module name in `startup.LIBRARIES`) -> the seed it was last given here."""

PROMISED = ("random", "numpy.random", "torch")
"""Libraries whose numbers every run is about: a process that cannot seed one of them ends.

Another one that cannot be seeded, because its release or a program's own module of that name has
not the function, is named in one line, and the program goes on.
"""

not_seeded: dict[str, str] = {}
"""Library, none of `PROMISED` -> why it could not be seeded here."""

NONE: frozenset[str] = frozenset()

locked = NONE
"""Libraries whose lock could not be had before this process was forked.

They cannot be seeded here; nor could they be drawn from, since their lock is never let go.
"""

any_unseeded = False
"""Whether generators were made without a seed, so that a worker may have some to adopt.

Here and not in `unseeded`, which most processes that import `random` need not load.
"""

scope: streams.Path = ()
"""The part of the job that runs now: in a notebook whose cells have their own streams, a cell."""

rounds = [0]
"""The number of the present round, and before it those that are suspended.

A round begins where the streams start over. What is numbered within the streams (generators
without a seed, `seed_init.generator()`) is numbered by round.
"""

# Python 3.12 ends by a signal when another than the main interpreter was the first that hashed
# something (Python/getargs.c frees in one what the other has allocated). It goes without seeds.
_is_left_alone = sys.version_info[:2] == (3, 12) and not _thread._is_main_interpreter()

_round_numbers = count(1)
_job_seed: int | None = None  # what reseed(value) put in SEED's place
_announced = False


def job_seed() -> int | None:
    """The seed that every stream of this job's present part comes from; None: nothing is seeded."""
    seed = base_seed()
    return None if seed is None else streams.derive(seed, scope)


def base_seed() -> int | None:
    """The seed of the whole job; None where nothing is seeded.

    It is SEED, in a job that was restarted a seed derived from it, and after `reseed(value)`
    that value.
    """
    if _is_left_alone:
        return None
    if _job_seed is not None:
        return _job_seed
    settings = contract.current()
    if settings is None or settings.seed is None:
        return None
    return streams.derive(settings.seed, settings.restart)


def process_seed(*branch: str | int) -> int | None:
    """The seed of this process's stream, or of a branch of it; None where nothing is seeded.

    Args:
        branch: the path below this process; empty for the process itself.
    """
    from seed_init.hook import children

    seed = job_seed()
    return None if seed is None else streams.derive(seed, children.path + branch)


def library_seed() -> int | None:
    """The seed of the libraries' default generators here; None where nothing is seeded.

    It is that of the process; in a DataLoader worker it follows the seed that PyTorch gives it.
    """
    unseeded = sys.modules.get("seed_init.hook.unseeded")
    seed = job_seed()
    if unseeded is None or seed is None:
        return process_seed()
    return streams.derive(seed, unseeded.here())


def imported(name: str) -> None:
    """Seed and set up the library that has just been imported.

    Args:
        name: its module name: a key of `startup.LIBRARIES`, or what multiprocessing is known by.
    """
    from seed_init.hook import children

    if name not in startup.LIBRARIES:
        from seed_init.hook import copies

        copies.watch(name)
        return
    seed = library_seed()
    try:
        library = _library(name)
        if seed is not None:
            library.seed(seed)
            if name not in PROMISED:
                _watch(library)
    except Exception as error:
        if name not in PROMISED:
            _cannot_seed(name, error)
            return
        if not isinstance(error, AttributeError):
            raise
        raise _not_the_library(name) from None
    if (name, library) not in _imported:
        _imported.append((name, library))
    if name == "random":
        children.follow_random()
    if seed is not None:
        if name in PROMISED:
            _watch(library)
        if name not in not_seeded:
            seeded[name] = seed
            debug(f"{name} seeded with {seed}")
    configure = getattr(library, "configure", None)
    settings = contract.current()
    if configure is not None and settings is not None:
        for line in configure(settings):
            debug(line)
        from seed_init.hook import drift

        drift.watch(settings)
    for function in after_import.get(name, ()):
        function()
    _announce(name)


def _not_the_library(name: str) -> Exception:
    """The refusal of a module that has the name of a library but not its functions."""
    from seed_init.hook import refusals

    file = getattr(sys.modules.get(name), "__file__", None)
    return refusals.Refusal(
        f"{name} was imported from {file}, which is not the library of that name; "
        "rename that file, or set SEED_INIT=0 to run without seeding"
    )


def _cannot_seed(name: str, error: Exception) -> None:
    """Go on without a library that is none of `PROMISED`, and say so."""
    file = getattr(sys.modules.get(name), "__file__", None)
    not_seeded[name] = f"{file} is no release of it that is known here ({error})"
    seeded.pop(name, None)
    say(f"{name} is not seeded: {not_seeded[name]}; seed it in your code")


def _seed(name: str, library: "ModuleType", seed: int) -> None:
    try:
        library.seed(seed)
        if startup.finder is not None:
            _watch(library)
    except Exception as error:
        if name in PROMISED:
            raise
        _cannot_seed(name, error)
    else:
        seeded[name] = seed


def reseed_libraries() -> None:
    """Start this process's stream over in every library that is imported."""
    seed = process_seed()
    if seed is None:
        return
    for name, library in libraries_here():
        if name not in locked:
            _seed(name, library, seed)


def seed_in_loader_worker() -> None:
    """In a DataLoader worker: seed what PyTorch does not seed there by itself."""
    seed = library_seed()
    if seed is None:
        return
    for name, library in _imported:
        if name not in PROMISED and name not in locked:
            _seed(name, library, seed)


def _watch(library: "ModuleType") -> None:
    """Have what is made or seeded from now on ask us, once something is seeded at all."""
    watch = getattr(library, "watch", None)
    if watch is not None:
        watch()


_imported: "list[tuple[str, ModuleType]]" = []


def libraries_here() -> "list[tuple[str, ModuleType]]":
    """As `imported_libraries`; where the hook is not installed, of those that are imported."""
    if startup.finder is not None:
        return _imported
    return [(name, _library(name)) for name in startup.LIBRARIES if _is_imported(name)]


def imported_libraries() -> "list[tuple[str, ModuleType]]":
    """(module name, its file in `libraries/`) of each library that was imported through us."""
    return _imported


def hold_generators() -> frozenset[str]:
    """Before a fork: take the locks of the generators, so that no child inherits them taken.

    A lock that another thread holds while it draws stays locked for ever in a forked child,
    where that thread does not exist; to seed there would hang. Without other threads there is
    nothing to take.

    Returns:
        The libraries whose lock was not to be had.
    """
    # One that was lost in a former fork never comes back: to wait for it would hang here.
    return frozenset(
        name
        for name, library in _imported
        if name in locked or (hasattr(library, "hold") and not library.hold())
    )


def release_generators() -> None:
    """After a fork, in parent and child: give the locks back."""
    for _, library in _imported:
        if hasattr(library, "release"):
            library.release()


def inherit_locked(names: frozenset[str]) -> None:
    """In a forked child whose parent has other threads: give up what lock was taken along.

    Args:
        names: the libraries that `hold_generators` could not have.
    """
    global locked
    locked = NONE
    for name, library in _imported:
        if name in names or (hasattr(library, "is_locked") and library.is_locked()):
            _give_up(name)


def _give_up(name: str) -> None:
    global locked
    locked |= {name}
    seeded.pop(name, None)
    say(f"{name} is not seeded in this child: another thread drew from it at the fork")


def seed_in_fork(seed: int) -> None:
    """In a forked child: seed every library that is imported and whose lock can be had."""
    for name, library in _imported:
        if name not in locked:
            try:
                given = getattr(library, "seed_in_fork", library.seed)(seed)
            except Exception as error:
                if name in PROMISED:
                    raise
                _cannot_seed(name, error)
                continue
            if given is False:
                _give_up(name)
            else:
                seeded[name] = seed


def reseed(seed: int | None) -> int | None:
    """Put `seed` in SEED's place, if given, and start every stream over.

    Returns:
        The seed of this process's stream; None where nothing is seeded.
    """
    from seed_init.hook import children

    global _job_seed, scope
    if seed is not None:
        _job_seed, scope = seed, ()
        children.name_by_seed()
        children.forget_children()
        if startup.finder is None:
            startup.watch()  # nothing was asked for so far
    for name in startup.LIBRARIES:
        if _is_waiting(name) and _is_imported(name):
            # It came past the hook, by another import hook's doing.
            startup.finder.waiting.discard(name)
            imported(name)
    _begin_round()
    return process_seed()


def _begin_round() -> None:
    rounds[-1] = next(_round_numbers)
    reseed_libraries()


def start_over(part: streams.Path) -> None:
    """Start every stream over, those of children to come as well, as if this process began now.

    `reseed` goes on numbering children instead, so that no two have the same stream.

    Args:
        part: of the job, whose streams they are from now on; () for the whole.
    """
    from seed_init.hook import children

    global scope
    scope = part
    children.number_anew()
    _begin_round()


Round = tuple[int, int | None, streams.Path, dict[str, int]]


def present_round() -> Round:
    """What `resume` takes to go on with the present round."""
    return len(rounds), _job_seed, scope, dict(seeded)


def begin_within(seed: int | None, part: streams.Path) -> None:
    """Put the present round aside and begin another one.

    Args:
        seed: takes SEED's place in it; None keeps the seed in effect.
        part: as in `start_over`.
    """
    global _job_seed
    rounds.append(next(_round_numbers))
    if seed is not None:
        _job_seed = seed
        if startup.finder is None:
            startup.watch()  # nothing was asked for so far
    start_over(part)


def resume(aside: Round) -> None:
    """Go on with a round that was put aside. The libraries' generators are the caller's."""
    global _job_seed, scope
    depth, _job_seed, scope, before = aside
    del rounds[depth:]
    seeded.clear()
    seeded.update(before)


def _is_imported(name: str) -> bool:
    """True where the import has ended; another thread may be in the middle of one."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


def _is_waiting(name: str) -> bool:
    return startup.finder is not None and name in startup.finder.waiting


def _library(name: str) -> "ModuleType":
    full = f"seed_init.libraries.{startup.LIBRARIES[name]}"
    __import__(full)
    return sys.modules[full]


def _announce(name: str) -> None:
    """One line on stderr when the first library is seeded whose numbers people compare.

    `random` is no such library: pip, uv and health checks import it. A seed that was drawn
    is told in any case, because without it the run could not be replayed.
    """
    from seed_init.hook import children

    settings = contract.current()
    if settings is None or not children.is_main():
        return
    if not _announced:
        _announce_first(name, settings)
    if name == "torch" and settings.determinism == "warn":
        for line in switch_warnings(settings):
            say(line)


def _announce_first(name: str, settings: contract.Settings) -> None:
    global _announced
    if settings.determinism is None:
        return  # nobody asked but the program itself, with reseed()
    if name == "random" and not ("seed_init.hook.draw" in sys.modules and _drawn_here()):
        return
    if settings.seed is None and name != "torch":
        return
    _announced = True
    say(summary(settings))
    warning = cublas_warning(settings)
    if warning:
        say(warning)


def announce_again() -> None:
    """Say the line once more, at once where a library is there already, or at the next import.

    A kernel may have said it before its first cell, where nobody sees it: a drawn seed when
    ipykernel imported `random`, any other when a start-up file imported a library.
    """
    global _announced
    _announced = False
    for name, _ in list(_imported):
        _announce(name)


def _drawn_here() -> bool:
    from seed_init.hook import draw

    return draw.drawn_here


def cublas_warning(settings: contract.Settings) -> str | None:
    """One line where a cuBLAS workspace that is not deterministic meets level warn."""
    given = settings.values.get(contract.CUBLAS)
    if settings.determinism != "warn" or not given or given in startup.CUBLAS_DETERMINISTIC:
        return None
    accepted = " or ".join(startup.CUBLAS_DETERMINISTIC)
    return f"{contract.CUBLAS}={given!a} is kept, but cuBLAS is deterministic only with {accepted}"


def switch_warnings(settings: contract.Settings) -> list[str]:
    """A line for each variable of a library beside torch that contradicts level warn."""
    import os

    from seed_init.hook import switches

    if settings.determinism != "warn":
        return []
    found = switches.contradictions(settings, os.environ, switches.release_here())
    return [
        f"{name}={value!a} is kept, but only with {instead} does its library repeat its results"
        for name, value, instead in found
    ]


def summary(settings: contract.Settings) -> str:
    """What holds in this process, in one line: seed, its origin, level, rank."""
    from seed_init.hook import children

    seed, origin = seed_and_origin(settings)
    parts = [f"SEED={seed} ({origin})" if seed else "SEED is not set"]
    if settings.restart and settings.seed is not None and _job_seed is None:
        parts.append(f"restart {'.'.join(map(str, settings.restart[1:]))}")
    parts.append(f"DETERMINISM={settings.determinism}")
    if scope:
        each = settings.values["SEED_INIT_NOTEBOOK"] == "cell"
        parts.append(f"a stream for {'each' if each else 'this'} cell")
    here = children.rank()
    if here is not None:
        parts.append(f"rank {here[0]} of {here[1]} ({settings.values['SEED_INIT_RANKS']} streams)")
    return ", ".join(parts)


def seed_and_origin(settings: contract.Settings | None) -> tuple[str, str]:
    """SEED as it holds now, and where it comes from; empty where there is none."""
    if _job_seed is not None:
        return str(_job_seed), "reseeded"
    if settings is None:
        return "", ""
    return settings.values.get("SEED", ""), settings.origins.get("SEED", "")


def say(line: str) -> None:
    """Write a line to stderr at SEED_INIT_LOG=info and debug."""
    _write(line, ("info", "debug"))


def debug(line: str) -> None:
    """Write a line to stderr at SEED_INIT_LOG=debug."""
    _write(line, ("debug",))


def _write(line: str, levels: tuple[str, ...]) -> None:
    if contract.value("SEED_INIT_LOG") not in levels:
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
