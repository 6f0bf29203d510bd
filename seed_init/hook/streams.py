# SPDX-License-Identifier: Apache-2.0
"""SEED and a path in, a seed out: the derivation that everything here uses.

A path says where a stream belongs: ("process", 1, 2) is the second child of the first
child, ("rank", 3) the fourth rank. The same SEED and path give the same seed on every
machine and in every release; this is part of the contract, so changing it changes
everybody's numbers.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Path = tuple[str | int, ...]

Given = int | str | bytes | float | tuple[int, ...]
"""What user code may seed a library with."""

KINDS: "tuple[type, ...]" = (int, str, bytes, float, tuple)

ENTROPY_BYTES = 12
MARK_BYTES = 4


def derive(seed: int, path: Path) -> int:
    """Derive the seed of the stream at `path`.

    A keyed hash (BLAKE2s) rather than seed + k: neighbouring seeds and neighbouring paths
    must not meet, as they would with `seed + rank`. 32 bits, because torch's CPU generator
    uses only the low 32 bits of its seed (MT19937, aten/src/ATen/core/MT19937RNGEngine.h)
    and `numpy.random.seed` takes no more: what differs here differs in every library.

    Args:
        seed: the job's seed, 0...4294967295.
        path: names and indices from the root of the process tree. Empty: the root itself.

    Returns:
        A seed, 0...4294967295; `seed` itself for the empty path.
    """
    if not path:
        return seed
    return int.from_bytes(_hash(_text(path), seed.to_bytes(4, "little"), 4), "little")


def derive_entropy(seed: int, path: Path) -> int:
    """Derive what stands in for the operating system's entropy in an unseeded generator.

    Args:
        seed: the job's seed, 0...4294967295.
        path: as in `derive`; not empty.

    Returns:
        128 bits: 96 that depend on seed and path, so that a million generators do not meet,
        and 32 that follow from these, by which `is_derived` knows the number again.
    """
    entropy = _hash(_text(path), seed.to_bytes(4, "little"), ENTROPY_BYTES)
    return int.from_bytes(entropy + _mark(entropy), "little")


def is_derived(value: int) -> bool:
    """True for what `derive_entropy` gave, in whatever process of whatever job."""
    if not 0 <= value < 2 ** (8 * (ENTROPY_BYTES + MARK_BYTES)):
        return False
    data = value.to_bytes(ENTROPY_BYTES + MARK_BYTES, "little")
    return data[ENTROPY_BYTES:] == _mark(data[:ENTROPY_BYTES])


def mix(seed: int, value: Given) -> int:
    """Combine the seed that user code passes to a library with the job's seed.

    For whole numbers of 32 bits this is a permutation under each job seed (a Feistel network of
    four rounds, Luby and Rackoff 1988), so that `seed + rank` stays different in every rank.

    Args:
        seed: the job's seed, 0...4294967295.
        value: what the code passes. The same number gives the same result for every library.

    Returns:
        A seed, 0...4294967295.
    """
    if not isinstance(value, int) or not 0 <= value < 2**32:
        # Not repr() of a number: it raises where there are more than 4300 digits.
        kind = next(kind for kind in KINDS if isinstance(value, kind))
        text = hex(value) if isinstance(value, int) else repr(kind(value))
        return derive(seed, ("mix", kind.__name__, text))
    key = seed.to_bytes(4, "little")
    left, right = divmod(value, 2**16)
    for number in range(4):
        digest = _hash(f"mix\n{number}\n{right}".encode(), key, 2)
        left, right = right, left ^ int.from_bytes(digest, "little")
    return left * 2**16 + right


def _text(path: Path) -> bytes:
    # repr keeps 1 and "1" apart, and the separator cannot occur in the repr of either.
    return "\n".join(repr(part) for part in path).encode()


def _mark(entropy: bytes) -> bytes:
    return _hash(entropy, b"seed_init", MARK_BYTES)


def _hash(data: bytes, key: bytes, size: int) -> bytes:
    digest: bytes = (_blake2s or load())(data, digest_size=size, key=key).digest()
    return digest


_blake2s: "Callable[..., Any] | None" = None


def load() -> "Callable[..., Any]":
    """Load the hash function, which most processes never need."""
    global _blake2s
    # _blake2 is the C module behind hashlib, without hashlib's loading of OpenSSL. It is
    # missing only from interpreters built without it.
    try:
        from _blake2 import blake2s
    except ImportError:
        from hashlib import blake2s
    _blake2s = blake2s
    return blake2s
