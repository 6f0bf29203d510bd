"""SEED and a path in, a seed out: the one derivation that everything here uses.

A path says where a stream belongs: ("process", 1, 2) is the second child of the first
child, ("rank", 3) the fourth rank. The same SEED and path give the same seed on every
machine and in every release; this is part of the contract, so changing it changes
everybody's numbers.
"""

Path = tuple[str | int, ...]


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
    # _blake2 is the C module behind hashlib, without hashlib's loading of OpenSSL. It is
    # missing only from interpreters built without it.
    try:
        from _blake2 import blake2s
    except ImportError:
        from hashlib import blake2s
    # repr keeps 1 and "1" apart, and the separator cannot occur in the repr of either.
    text = "\n".join(repr(part) for part in path)
    digest = blake2s(text.encode(), digest_size=4, key=seed.to_bytes(4, "little")).digest()
    return int.from_bytes(digest, "little")
