# SPDX-License-Identifier: Apache-2.0
"""The instrument `seeds` writes every seed that code gives to a generator, and the user's line.

Events, in the order in which they come:

    {"event": "seed", "generator": "numpy", "name": "np.random.default_rng", "given": "17",
     "digest", "file", "line", "function"}

`name` is what the user's line calls, `given` the value as a person reads it. What the hook seeds is
none of these. At the end, {"event": "compiled", "names": [...]}: imported packages with code of
their own that is compiled, whose generators nobody here can see.
"""

import sys
from _thread import get_ident
from functools import wraps
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

from seed_init.hook import callers, seeding
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.observer.audit import replacing, sources
from seed_init.proof.observer.tensors import digests

MOST = 10_000
"""Seeds that are written."""

SHOWN_MAX = 80

_written = 0
_drawn: dict[int, Any] = {}  # by thread: the entropy that NumPy drew last, for want of a seed


def start() -> None:
    """Wait for the libraries, and for the end."""
    callbacks.after_import("random", _watch_random)
    callbacks.after_import("numpy.random", _watch_numpy)
    callbacks.after_import("torch", _watch_torch)
    callbacks.at_end(_compiled)


def _watch_random() -> None:
    """Watch `random.Random(x)`, `random.seed(x)` and subclasses, which all end in one method."""
    random: Any = sys.modules["random"]
    # First the hook's own stand-in, which does nothing where it finds another one.
    dict(seeding.imported_libraries())["random"].watch()
    original = random.Random.seed

    @callers.like(original)
    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        if a is not None:
            _note("random", a)
        original(self, a, version)

    random.Random.seed = seed
    owner: Any = getattr(random.seed, "__self__", None)
    if owner is random._inst:
        random.seed = random._inst.seed


def _watch_numpy() -> None:
    """Watch what is made from a SeedSequence, and the seeds of `RandomState` and `np.random.seed`.

    A SeedSequence, which `default_rng` and every bit generator make of a seed, takes its entropy
    apart by a function of its module (numpy/random/bit_generator.pyx, get_assembled_entropy).
    """
    bit_generator: Any = sys.modules["numpy.random.bit_generator"]

    def entropy(original: Any) -> Any:
        @wraps(original)
        def taking_apart(x: Any) -> Any:
            # The key of what is not spawned is empty. What was drawn is no seed that code gives.
            if not (isinstance(x, tuple) and not x) and x is not _drawn.get(get_ident()):
                _note("numpy", x)
            return original(x)

        return taking_apart

    def drawing(original: Any) -> Any:
        def randbits(k: int) -> Any:
            value = _drawn[get_ident()] = original(k)
            return value

        return randbits

    replacing.function(bit_generator, "randbits", drawing)

    replacing.function(bit_generator, "_coerce_to_uint32_array", entropy)

    def legacy(original: Any) -> Any:
        @wraps(original)
        def seeding_it(self: Any, seed: Any) -> Any:
            if seed is not None:
                _note("numpy", seed)
            return original(self, seed)

        return seeding_it

    replacing.in_type(sys.modules["numpy.random"].MT19937, "_legacy_seeding", legacy)


def _watch_torch() -> None:
    """Watch `Generator.manual_seed`, where `torch.manual_seed` ends, and `Generator.seed()`."""
    torch: Any = sys.modules["torch"]

    def wrap_manual_seed(original: Any) -> Any:
        @callers.like(original)
        def manual_seed(self: Any, seed: Any) -> Any:
            _note("torch", seed)
            return original(self, seed)

        return manual_seed

    def wrap_seed(original: Any) -> Any:
        @callers.like(original)
        def seed(self: Any) -> int:
            value: int = original(self)
            _note("torch", value)
            return value

        return seed

    replacing.in_type(torch._C.Generator, "manual_seed", wrap_manual_seed)
    replacing.in_type(torch._C.Generator, "seed", wrap_seed)


def _note(generator: str, seed: Any) -> None:
    # The number first: after the last one that is written, a seed costs nothing.
    if _written < MOST and not core.here.observing:
        _write(generator, seed, callers.above(1))


@core.guarded
def _write(generator: str, seed: Any, frame: Any) -> None:
    global _written
    if _is_the_hooks(frame):
        return
    user, _ = sources.behind(frame, generator)
    if user is None:
        return
    _written += 1
    core.journal.write(
        "seed",
        generator=generator,
        name=sources.callee(user, f"{generator}'s seed"),
        given=_shown(seed),
        digest=digests.digest(seed),
        **user_code.source(user),
    )


def _is_the_hooks(frame: Any) -> bool:
    """Return True where the hook seeds by itself, and does not only stand in for a function."""
    while frame is not None:
        module = callers.module_of(frame)
        between = module.startswith("seed_init.libraries.") or module == "seed_init.hook.reseeding"
        if not between and module.partition(".")[0] not in ("numpy", "random", "torch"):
            return module.partition(".")[0] == "seed_init"
        if between and frame.f_code.co_name in ("seed_in_fork", "adopt", "restore"):
            return True
        frame = frame.f_back
    return True


def _shown(seed: Any) -> str:
    """Return a seed as a person reads it, without a `__repr__` of the user's own."""
    if isinstance(seed, int):
        return int.__repr__(seed) if abs(seed) < 2**200 else "a number beyond 200 bits"
    if hasattr(seed, "tolist"):
        seed = seed.tolist()
    plain = seed if isinstance(seed, (list, tuple)) else [seed]
    if not all(isinstance(item, (int, str, bytes, bytearray, float)) for item in plain):
        return type(seed).__name__
    text = repr(seed)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


FOLLOWED = frozenset({"torch", "numpy"})
"""Compiled packages whose generators are seen."""


def _compiled() -> None:
    """Write which compiled packages are imported: only of site-packages, not Python's own."""
    names = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(tuple(EXTENSION_SUFFIXES)):
            continue
        if "/site-packages/" in file or "/dist-packages/" in file:
            names.add(name.partition(".")[0])
    # A package's compiled part may be a module of its own, with an underscore before its name.
    packages = {name for name in names if not name.startswith("_")} or names
    core.journal.write("compiled", names=sorted(packages - FOLLOWED))
