# SPDX-License-Identifier: Apache-2.0
"""sentencepiece, whose sampling draws from a generator in each thread of C++.

Unseeded, each is seeded from the operating system when its thread first draws. Seeded, each
starts from the one seed that was set last: threads, and the batches, each of which
gets a thread of its own, would repeat each other, and a thread that has drawn cannot be seeded any
more (src/util.cc, GetRandomGenerator). So each call that samples gets a seed and a thread of its
own, as a generator that is made without a seed does.
"""

import sys
from _thread import allocate_lock
from os import register_at_fork

from seed_init.hook import callers, reseeding, say, seeding, unseeded
from seed_init.libraries import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SALTED = (0, 2, 2)
"""The first release that adds entropy of the operating system to every seed, as abseil's
generators do (absl/random/internal/salted_seed_seq.h): nothing repeats there in another process."""

_lock = allocate_lock()  # from a seed to the draws from it, in which other threads run
_watching = False
_said = False
_by_user = False  # whether the program has seeded it by itself


def _is_salted(version: str) -> bool:
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
    return numbers >= SALTED


def _entropy() -> int | None:
    frame = callers.caller("sentencepiece", "transformers")
    return unseeded.entropy("sentencepiece", "sentencepiece sampling", frame)


def _say_once() -> None:
    """Say why sampling is not seeded, at the first call that samples: nobody else need know."""
    global _said
    if not _said:
        _said = True
        source = callers.source(callers.caller("sentencepiece", "transformers"))
        why = seeding.not_seeded.get("sentencepiece")
        say(f"sentencepiece samples at {source} and is not seeded: {why}")


def _renew_lock() -> None:
    """Make a new lock in a forked child: another thread may have held the old lock at the fork."""
    global _lock
    _lock = allocate_lock()


class SentencePiece(Library):
    """The generators of sentencepiece, one for each thread."""

    def seed(self, value: int) -> None:
        """Start over with seeds of our own, whatever the program has seeded."""
        global _by_user
        _by_user = False

    def watch(self) -> None:
        """Have each call that samples ask us, and the function that seeds."""
        global _watching
        if _watching:
            return
        module: Any = sys.modules["sentencepiece"]
        kind = module.SentencePieceProcessor
        encode, give = kind.Encode, module.SetRandomGeneratorSeed
        names = encode.__code__.co_varnames[2 : encode.__code__.co_argcount]
        names.index("num_threads")  # a release without threads is not known here
        salted = _is_salted(module.__version__)
        if salted:
            seeding.not_seeded["sentencepiece"] = (
                f"release {module.__version__} mixes entropy of the operating system into every "
                "seed; its sampling repeats with sentencepiece<0.2.2"
            )

        @callers.like(encode)
        def Encode(self: "Any", input: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
            keywords = dict(zip(names, arguments), **keywords)
            asked = keywords.get("enable_sampling")
            if asked is None:
                asked = self._enable_sampling
            if asked and salted:
                _say_once()
            value = _entropy() if asked and not salted and not _by_user else None
            if value is None:
                return encode(self, input, **keywords)
            keywords["num_threads"] = 1
            several = isinstance(input, list)
            with _lock:
                give(value % (2**32 - 1))  # 2**32 - 1 stands for none
                result = encode(self, input if several else [input], **keywords)
            return result if several else result[0]

        @callers.like(give)
        def seed_by_user(seed: int) -> None:
            global _by_user
            _by_user = True
            give(seed)

        for owner, old, new in (
            (kind, encode, Encode),
            (module, give, reseeding.asking("sentencepiece.SetRandomGeneratorSeed", seed_by_user)),
        ):
            for name, value in list(vars(owner).items()):
                if value is old:
                    setattr(owner, name, new)
        register_at_fork(after_in_child=_renew_lock)
        _watching = True


library = SentencePiece()
