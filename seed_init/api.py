# SPDX-License-Identifier: Apache-2.0
"""The public functions, for code that asks, or that wants a stream of its own.

`seed_init` hands them out (`seed_init.seed()`); this file is loaded when the first of them
is asked for. Each works with or without the hook installed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import torch

    from seed_init.hook.units import Stream


def seed() -> int | None:
    """Return the seed in effect in this process.

    Returns:
        0...4294967295: SEED itself in a program's main process, a seed derived from it in a
        worker (and in a rank, under SEED_INIT_RANKS=distinct). None where nothing is seeded
        (SEED=off, no SEED and no defaults file, SEED_INIT=0).
    """
    from seed_init.hook import state

    return state.process_seed()


def reseed(seed: int | None = None) -> int | None:
    """Start the streams of `random`, NumPy and torch over, as if this process began now.

    Only libraries that are imported are seeded; the others follow when they are imported.

    Args:
        seed: takes the place of SEED in this process and its workers from now on,
            0...4294967295 (not in spawned workers where the hook has nothing to do: without
            SEED, DETERMINISM and a defaults file). None keeps the seed in effect.

    Returns:
        What `seed()` returns afterwards. None, and nothing is changed, where no seed is in
        effect and none is given.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `seed` is out of range.
    """
    from seed_init.hook import rounds, startup

    if seed is not None:
        if not hasattr(seed, "__index__") or isinstance(seed, bool):
            raise TypeError(f"seed must be an integer or None, not {type(seed).__name__}")
        seed = seed.__index__()
        if not 0 <= seed <= startup.SEED_MAX:
            # Not str(): it raises on a number of more than 4300 digits.
            shown = seed if abs(seed) < 2**64 else "a number beyond 64 bits"
            raise ValueError(f"seed must be from 0 to {startup.SEED_MAX}, not {shown}")
    return rounds.reseed(seed)


# A process and a round -> how many it has made.
_generators: "dict[tuple[tuple[str | int, ...], int], int]" = {}


def generator(
    device: "torch.device | str | int" = "cpu", stream: str | None = None
) -> "torch.Generator":
    """Return a new `torch.Generator` with a stream of its own.

    No two calls give the same stream: a second generator that repeats the first, or repeats
    torch's default generator, correlates what should be independent.

    Args:
        device: where the generator lives, as for `torch.Generator`.
        stream: a name for the stream. The same name gives the same stream, whatever else was
            created before. None numbers the streams in the order of the calls, starting over
            in each process.

    Returns:
        A generator seeded from SEED, this process's place and the stream; from the
        operating system where nothing is seeded.

    Raises:
        TypeError: `stream` is neither text nor None.
        RuntimeError: torch cannot make a generator for `device`.
    """
    if stream is not None and not isinstance(stream, str):
        raise TypeError(f"stream must be text or None, not {type(stream).__name__}")
    import torch

    from seed_init.hook import state

    new = torch.Generator(device)
    label: str | int | None = stream
    if label is None:
        here = state.origin()
        if here not in _generators:  # a notebook may begin a round with every cell, for weeks
            for ended in [key for key in _generators if not state.is_running(key[1])]:
                _generators.pop(ended, None)
        label = _generators[here] = _generators.get(here, 0) + 1
    value = state.process_seed("generator", label)
    if value is None:
        new.seed()
    else:
        new.manual_seed(value)
    return new


def stream(*parts: str | int) -> "Stream":
    """Start every stream of this process over at a path, and so those of its children to come.

        with seed_init.stream("rollout", 3):
            ...  # the same numbers whenever and wherever the program does this

    The default generators of all libraries start there, and generators that are made without a
    seed. They are numbered anew. The path goes from the unit of work of an engine (a task of Ray,
    for instance) if one runs, otherwise from the program, whichever of its workers this process is.
    So the same parts give the same streams in each worker: put the number of the task among them.

    As a context manager, it puts the streams that ran before back at the end. As a call, without
    `with`, it starts the streams, which then go on until the next call.

    Like `random.seed`, it concerns all threads. But if other threads run units of work of an engine
    at the same time, only generators that this thread makes without a seed, and
    `seed_init.generator()`, start at the path.

    Args:
        parts: names and numbers, at least one.

    Returns:
        The context manager. It does nothing where nothing is seeded.

    Raises:
        TypeError: no part is given, or one is neither text nor an integer.
    """
    if not parts:
        raise TypeError("stream() needs a path: a name or number, or several")
    from seed_init.hook import units

    return units.Stream(tuple(_part(part) for part in parts))


def worker(name: str | int) -> int | None:
    """Give this process streams of its own, by a name.

    It is for programs that the same engine or script starts several times, and that the hook cannot
    tell apart: with one SEED each would draw what all the others draw. The streams start as if the
    process began now with SEED_INIT_WORKER=name.

    Args:
        name: a name that no other worker has, or its number: 3 and "3" are one name.

    Returns:
        The seed of this process's stream, as `seed()` does. None where nothing is seeded.

    Raises:
        TypeError: `name` is neither text nor an integer.
        ValueError: `name` is empty.
    """
    from seed_init.hook import rounds

    text = str(_part(name)).strip()
    if not text:
        raise ValueError("worker() needs a name or a number")
    return rounds.become_worker(text)


def _part(part: object) -> str | int:
    if isinstance(part, str):
        return str(part)
    if isinstance(part, bool) or not hasattr(part, "__index__"):
        raise TypeError(f"a part of a path must be text or an integer, not {type(part).__name__}")
    return int(part.__index__())


def worker_init_fn(worker_id: int) -> None:
    """Seed `random` and NumPy in a DataLoader worker from the worker's torch seed.

    PyTorch 2.6 does this itself; this function is for loaders that are not PyTorch's, and
    for older releases, which leave NumPy alone (all workers then repeat one stream). torch
    is left as PyTorch seeded it. Each worker differs, and so does each epoch, because
    PyTorch's worker seed does.

    Args:
        worker_id: 0...num_workers-1, as DataLoader passes it.
    """
    import random

    import torch

    from seed_init.hook import streams

    high, low = divmod(torch.initial_seed(), 2**32)
    random.seed(streams.derive(low, ("worker", worker_id, high, "random")))
    numpy_seed = streams.derive(low, ("worker", worker_id, high, "numpy"))
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(numpy_seed)


def status() -> dict[str, object]:
    """Return what was set in this process, and where each setting comes from.

    Returns:
        A JSON-ready mapping: `version`, `seed` (as `seed()`), `path` (this process's place),
        `rank`, `unit` (the unit of work that runs: `engine` and `path`), `restart` (the counts),
        `settings` (name, value, origin of each), `seeded` (library to seed), `unseeded` (library to
        the number of generators that were made without a seed and derived from SEED), `reseeded`
        (where the program seeded by itself: `function`, `place`, what was `given` and `used` there
        last, `count`), `flags` (torch flag to value, origin and, once torch is imported, the value
        now; "unknown" where torch does not tell it), `switches` (the same of variables by which
        other libraries choose deterministic algorithms), `installed` (where the hook is) and
        `not_covered` (lines; empty is good).
    """
    from seed_init.hook import status

    return status.status()
