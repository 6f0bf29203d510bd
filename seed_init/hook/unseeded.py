# SPDX-License-Identifier: Apache-2.0
"""Generators that user code makes without a seed: from SEED instead of the operating system.

The stream of such a generator is keyed by process, thread, library, module and n, where n counts
the generators that were made before under the same key. What is made during an import counts by
itself, because many modules make generators when they are imported (scipy.stats does): these must
not shift the user's, least of all in a notebook, where an import happens once and a cell runs
twice.
Threads count for themselves (`numbering`).

If a generator was made before a worker came into being, every worker that holds the generator would
repeat it. `adopt` gives each of them a stream of its own.
"""

from seed_init.hook import callers, labels, numbering, say, seeding, state, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

LEFT_ALONE = frozenset({"tempfile", "datasets.fingerprint"})
"""Modules whose unseeded generators make names, which must differ from run to run.

Hugging Face datasets draws the names of cache files that it cannot derive from their contents.
"""

COPYING = frozenset(
    {
        "copy",
        "pickle",
        "dill",
        "dill._dill",
        "numpy.random._pickle",
        "concurrent.futures.process",
        "torch.serialization",
    }
)
"""Modules that make a generator to put another one's state into it right afterwards."""

RECEIVING = ("common", "connection", "pool", "queues", "reduction", "spawn")
"""Modules of multiprocessing, and of each copy of it, that do the same."""

FORKING = ("popen_fork", "forkserver")
"""Modules of a copy of multiprocessing that seed `random` in a child that they have forked."""

TOLD_MAX = 1000
"""Lines of code that are named; a program that generates its code could have any number."""

_said: set[str] = set()


def entropy(library: str, what: str, frame: "FrameType | None") -> int | None:
    """What an unseeded generator is to be seeded with.

    Args:
        library: whose numbers are counted.
        what: as the user wrote it, for messages: "random.Random()".
        frame: who makes the generator.

    Returns:
        128 bits derived from SEED, process, thread and number. None: the operating system's.
    """
    module = callers.module_of(frame)
    seed = state.job_seed()
    if seed is None or module in LEFT_ALONE or module in COPYING or _is_of_copy(module, RECEIVING):
        return None
    policy = state.settings.unseeded
    if policy == "warn":
        _tell_once(f"{what} without a seed at {callers.source(frame)}")
    if policy != "derive":
        return None
    if state.settings.log == "debug":
        _tell_once(f"{what} without a seed at {callers.source(frame)}: from SEED")
    state.any_unseeded = True
    # In a spawned worker the program's own module has another name (Lib/multiprocessing/spawn.py).
    named = "__main__" if module == "__mp_main__" else labels.of_module(frame, module)
    label: tuple[str, ...] = (named,)
    if callers.during_import(frame):
        label = (*label, "import")
    return streams.derive_entropy(seed, numbering.next_path("unseeded", library, *label))


def _is_of_copy(module: str, names: tuple[str, ...]) -> bool:
    """True for a module of multiprocessing or of a copy of it that has one of the names."""
    package, _, name = module.rpartition(".")
    return name in names and package in state.copies


def is_fork_of_copy(frame: "FrameType | None") -> bool:
    """True where `random.seed()` in a forked child would undo what the hook has done there.

    billiard calls it in each (billiard/popen_fork.py), as CPython did before it had callbacks.
    """
    return state.job_seed() is not None and _is_of_copy(callers.module_of(frame), FORKING)


def is_unpickled(frame: "FrameType | None") -> bool:
    """True where a generator comes with what a spawned worker is given to run."""
    module = callers.module_of(frame)
    while frame is not None and module in COPYING:  # such as dill
        frame = frame.f_back
        module = callers.module_of(frame)
    return _is_of_copy(module, ("spawn",))


def _tell_once(line: str) -> None:
    if line not in _said and len(_said) < TOLD_MAX:
        _said.add(line)
        say(line)


def count_by_library() -> dict[str, int]:
    """Library -> how many generators of it this process has made without a seed."""
    return numbering.count_by_label("unseeded")


def find() -> None:
    """Before a fork: find what the child will have to adopt, while that is cheap."""
    for _, library in seeding.imported_libraries():
        library.find_unseeded()


def notes_for_pickled() -> "dict[str, Any]":
    """What a worker has to be told that gets its generators by pickle: library -> its notes."""
    notes = {name: library.notes_for_pickled() for name, library in seeding.imported_libraries()}
    return {name: note for name, note in notes.items() if note is not None}


def recognise_pickled(notes: "dict[str, Any]") -> None:
    """In such a worker: find the generators that its parent made without a seed.

    Args:
        notes: what `notes_for_pickled` gave there.
    """
    state.any_unseeded |= bool(notes)
    for name, library in seeding.imported_libraries():
        library.recognise_pickled(notes.get(name))


def adopt() -> None:
    """In a worker that has taken its place: give what it holds from before its own streams."""
    seed = state.job_seed()
    if seed is None or not state.any_unseeded:
        return
    origin = state.stream_path()

    def stream(*label: str | int) -> int:
        return streams.derive_entropy(seed, (*origin, "held", *label))

    for _, library in seeding.imported_libraries():
        library.adopt_unseeded(stream)


def enter_loader_worker(seed: int) -> None:
    """In a DataLoader worker: follow the seed that PyTorch gives it, in every library.

    That seed comes from torch's generator, so it differs from epoch to epoch, and a resumed run
    that restores torch's state gets the streams that an uninterrupted one would have got.

    Args:
        seed: base seed + worker id, 64 bits.
    """
    if not state.inherits:
        state.loader = state.path, ("loader", seed)
        seeding.seed_in_loader_worker()
        adopt()
