# SPDX-License-Identifier: Apache-2.0
"""This module makes few bits of many fingerprints, for a record to keep.

A journal has 64 bits of each tensor. A record has one sum for all tensors of a kind, which shows
any difference, and 16 bits for each tensor or for each group of neighbours, which show where it is.
"""

from array import array
from hashlib import blake2b

from seed_init.proof.trace.journal import UNREADABLE

_MARK = UNREADABLE.to_bytes(8, "little")


def folded(raw: bytes) -> "array[int]":
    """16 bits for each fingerprint of 64: its four quarters, XORed, so that each bit of it counts.

    All fingerprints are folded at once, as one long number: one by one they would take Python
    seconds.

    Args:
        raw: the fingerprints, 8 bytes each, little-endian.
    """
    number = int.from_bytes(raw, "little")
    number ^= number >> 32
    number ^= number >> 16
    # The shifts bring bits of the next fingerprint into the upper quarters, which are not taken.
    return array("H", number.to_bytes(len(raw), "little"))[0::4]


def coarsened(columns: "array[int] | list[int]", factor: int) -> "array[int]":
    """Columns that each stand for `factor` of the given ones: so records of unlike groups compare.

    Args:
        columns: numbers of 16 bits.
        factor: a power of 2.
    """
    result = array("H", columns)
    while factor > 1:
        if len(result) % 2:
            result.append(0)
        odd, even = result[1::2], result[0::2]
        both = int.from_bytes(even.tobytes(), "little") ^ int.from_bytes(odd.tobytes(), "little")
        result = array("H", both.to_bytes(2 * len(even), "little"))
        factor //= 2
    return result


def unreadable(raw: bytes, group: int = 1) -> int:
    """The columns with a tensor that could not be read: bit i of the result stands for column i.

    Args:
        raw: as in `folded`.
        group: how many tensors a column stands for.
    """
    found = 0
    if _MARK in raw:
        for place in range(0, len(raw), 8):
            if raw[place : place + 8] == _MARK:
                found |= 1 << place // 8 // group
    return found


def coarsened_bits(bits: int, factor: int) -> int:
    """What `unreadable` gives, for columns that each stand for `factor` of the given ones."""
    found = 0
    while factor > 1 and bits:
        # From the top, each column that is left shrinks the number.
        place = bits.bit_length() - 1
        found |= 1 << place // factor
        bits ^= 1 << place
    return found | bits


def summed(raw: bytes) -> str:
    """64 bits for all fingerprints, in which each of them and its place counts.

    Args:
        raw: as in `folded`.

    Returns:
        16 hexadecimal digits.
    """
    return blake2b(raw, digest_size=8).hexdigest()
