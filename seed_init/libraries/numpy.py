# SPDX-License-Identifier: Apache-2.0
"""NumPy's global generator, and the generators that are made without a seed."""

import gc
import operator
import sys
from _thread import get_ident
from itertools import compress

from seed_init.hook import callers, reseeding, say, streams, unseeded
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Stream = Callable[..., int]

PATIENCE = 5.0
"""Seconds to wait for a thread that draws; a draw of 10⁸ numbers takes less than one."""

_locks: "dict[int, Any]" = {}  # by thread: the lock that the thread holds

_seed: "Callable[..., None] | None" = None  # numpy.random.seed itself
_rand: "Any" = None  # the global RandomState

_made_any = False  # whether a generator was ever made without a seed, or came from who did
_made_more = False  # whether one was made since `find_unseeded` looked
# What was found: the bit generator, what it was seeded with, and what that makes of its state.
_alive: "list[tuple[Any, tuple[int, ...], str]]" = []


def _taken(seed: "Any") -> "int | tuple[int, ...] | None":
    """Return a seed as plain numbers; None if NumPy will refuse the seed with its own message."""
    try:
        number = operator.index(seed)
        return number if 0 <= number < 2**32 else None
    except TypeError:
        pass
    try:
        return tuple(map(operator.index, sys.modules["numpy"].ravel(seed).tolist()))
    except Exception:
        return None


def _shared() -> "Any":
    """Return the bit generator behind `numpy.random.rand`: `set_bit_generator` may replace it."""
    return sys.modules["numpy.random.mtrand"]._rand._bit_generator


def _kinds(kind: type) -> "set[type]":
    return {kind}.union(*map(_kinds, kind.__subclasses__()))


def _label(bit_generator: "Any") -> "tuple[int, ...]":
    """Return entropy and spawn key of a seed; (-1,) for a seed that is not the hook's."""
    seeds = getattr(bit_generator, "_seed_seq", None)
    entropy = getattr(seeds, "entropy", None)
    return (entropy, *getattr(seeds, "spawn_key", ())) if isinstance(entropy, int) else (-1,)


def _constant(bit_generator: "Any") -> str:
    """Return the part of a state that only the seed decides: PCG64's increment, Philox' key.

    Where it is another one, another generator's state was put in, by a checkpoint or `jumped()`.
    MT19937, which calls its changing state a key, and SFC64 have nothing like it.
    """
    state = bit_generator.state["state"]
    return "" if "pos" in state else str(state.get("inc", state.get("key")))


class NumPy(Library):
    """The generator behind `numpy.random.rand`, and those that programs make."""

    def seed(self, value: int) -> None:
        """Seed the global `RandomState`.

        Args:
            value: 0...4294967295, all that `numpy.random.seed` takes.
        """
        # Not `import numpy.random`: while it is being imported, the name is not yet an
        # attribute of numpy.
        numpy_random: Any = sys.modules["numpy.random"]
        try:
            (_seed or numpy_random.seed)(value)
        except TypeError:
            # numpy.random.set_bit_generator has put another kind there, which seed() refuses.
            shared = _shared()
            shared.state = type(shared)(numpy_random.SeedSequence(value)).state

    def state(self) -> "tuple[Any, Any]":
        """The bit generator of the global `RandomState`, and its state, for `restore`."""
        return _shared(), sys.modules["numpy.random"].get_state(legacy=False)

    def restore(self, state: "tuple[Any, Any]") -> None:
        """Put back what `state` gave."""
        bit_generator, its_state = state
        numpy_random: Any = sys.modules["numpy.random"]
        # Of another kind, it could not take that state.
        if _shared() is not bit_generator:
            numpy_random.set_bit_generator(bit_generator)
        numpy_random.set_state(its_state)

    def seed_in_fork(self, value: int) -> bool:
        """As `seed`, in a forked child; False where the lock was taken along, for ever."""
        shared = _rand or sys.modules["numpy.random.mtrand"]._rand
        lock = shared._bit_generator.lock
        if not lock.acquire(False):  # an RLock since NumPy 2.4: it has no locked()
            return False
        lock.release()
        try:
            shared.seed(value)
        except TypeError:
            self.seed(value)
        return True

    def watch(self) -> None:
        """Have every generator without a seed, and `numpy.random.seed`, ask us.

        Whatever is made without a seed draws its entropy through one name, `randbits` in
        numpy/random/bit_generator.pyx (class SeedSequence): `default_rng`, `RandomState`,
        `SeedSequence`, the bit generators, and `numpy.random.seed(None)`.
        """
        global _rand, _seed
        if _seed is not None:
            return
        _rand = sys.modules["numpy.random.mtrand"]._rand
        numpy_random: Any = sys.modules["numpy.random"]
        original = _seed = numpy_random.seed
        bit_generator: Any = sys.modules["numpy.random.bit_generator"]
        system = getattr(bit_generator, "randbits", None)
        if system is None:
            say("this NumPy is not known: generators without a seed stay unseeded")
            return

        @callers.like(original)
        def seed(seed: "Any" = None) -> None:
            used = reseeding.seed_for("numpy.random.seed", _taken(seed))
            original(seed if used is None else used)

        @callers.like(system)
        def randbits(k: int) -> int:
            global _made_any, _made_more
            frame = callers.caller()
            value = unseeded.entropy("numpy", "a NumPy generator", frame)
            if value is None:
                return int(system(k))
            _made_any = _made_more = True
            return value

        freeze = gc.freeze

        @callers.like(freeze)
        def find_and_freeze() -> None:
            self.find_unseeded()  # what is frozen is not found any more
            freeze()

        gc.freeze = find_and_freeze
        bit_generator.randbits = randbits
        numpy_random.seed = numpy_random.mtrand.seed = seed

    def find_unseeded(self) -> None:
        """Find the bit generators that were made without a seed and are alive.

        Bit generators cannot be referred to weakly. So they are looked for among everything that
        is alive, and before a fork: a child would have to copy every page that it looks at.
        """
        global _made_more
        # getrefcount() counts our list's entry and the call's own argument. At 2 nobody else uses
        # the generator: forget it.
        _alive[:] = [entry for entry in _alive if sys.getrefcount(entry[0]) > 2]
        if not _made_more:
            return
        _made_more = False
        known = {id(generator) for generator, *_ in _alive}
        numpy_random = sys.modules["numpy.random"]
        # By identity: a class of the user's may not be hashable, or compare in its own way.
        kinds = set(map(id, _kinds(numpy_random.BitGenerator)))
        everything = gc.get_objects()
        generators = list(
            compress(everything, map(kinds.__contains__, map(id, map(type, everything))))
        )
        shared = _shared()
        for generator in generators:
            label = _label(generator)
            is_own = id(generator) in known or generator is shared
            if not is_own and streams.is_derived(label[0]):
                try:
                    same = type(generator)(generator._seed_seq)
                    _alive.append((generator, label, _constant(same)))
                except Exception:
                    continue  # a class of somebody else's, which is made in another way

    def notes_for_pickled(self) -> bool:
        """Whether generators made without a seed may be among what a spawned worker gets."""
        return _made_any

    def recognise_pickled(self, notes: bool | None) -> None:
        """In a spawned worker: find the generators that came along from its parent.

        Args:
            notes: what `notes_for_pickled` gave there.
        """
        global _made_any, _made_more
        if notes:
            _made_any = _made_more = True
        self.find_unseeded()

    def adopt_unseeded(self, stream: "Stream") -> None:
        """Give each generator that was made without a seed a stream of this process.

        Args:
            stream: from a label to 128 bits.
        """
        for number, (generator, label, constant) in enumerate(_alive):
            if _constant(generator) == constant:
                seeds = sys.modules["numpy.random"].SeedSequence(stream("numpy", *label))
                fresh = type(generator)(seeds)
                try:  # so that the generator is recognised in a worker of this worker
                    generator.__setstate__((fresh.state, seeds))
                except Exception:  # NumPy 1, which pickles no seeds either
                    generator.state = fresh.state
                _alive[number] = generator, label, _constant(generator)

    def lock_generators(self) -> bool:
        """Before a fork, wait for a thread that draws, and take the generator's lock.

        Returns:
            False where somebody holds it and does not let go.
        """
        if get_ident() in _locks:
            return True
        lock = _shared().lock
        taken: bool = lock.acquire(timeout=PATIENCE)
        if taken:
            _locks[get_ident()] = lock
        return taken

    def unlock_generators(self) -> None:
        """Let go what `lock_generators` took."""
        lock = _locks.pop(get_ident(), None)
        if lock is not None:
            lock.release()


library = NumPy()
