# SPDX-License-Identifier: Apache-2.0
"""Read which seeds a sweep has: `10`, `0-9`, or `1,4,7-9`."""

from collections.abc import Iterator

from seed_init.hook.startup import SEED_MAX

MOST = 100_000
"""How many seeds one sweep may have."""

EXAMPLES = "give a number of seeds such as 10, or a list such as 0-9 or 1,4,7"


class BadSeeds(ValueError):
    """A text names no seeds. The message is one line for the user."""


def parse(text: str) -> tuple[int, ...]:
    """Return the seeds that a text names, in its order.

    Args:
        text: a number N for the seeds 0 to N-1, or seeds and ranges with commas between them.

    Raises:
        BadSeeds: the text names no seed, a seed twice, a seed that SEED does not accept, a reversed
            range, or too many seeds.
    """
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    if text.isascii() and text.isdecimal():
        count = _number(text, shown)
        if count == 0:
            raise BadSeeds(f"{shown!r} names no seed; {EXAMPLES}")
        return tuple(range(_within_most(count)))
    seeds: list[int] = []
    seen: set[int] = set()
    for seed in _listed(text, shown):
        if seed in seen:
            raise BadSeeds(f"the seed {seed} is there twice in {shown!r}; name each seed once")
        seen.add(seed)
        seeds.append(seed)
    if not seeds:
        raise BadSeeds(f"{shown!r} names no seed; {EXAMPLES}")
    return tuple(seeds)


def _listed(text: str, shown: str) -> Iterator[int]:
    left = MOST
    for part in filter(None, (part.strip() for part in text.split(","))):
        first_text, dash, last_text = part.partition("-")
        first = _number(first_text.strip(), shown)
        last = _number(last_text.strip(), shown) if dash else first
        if last < first:
            raise BadSeeds(f"the range {part!r} is reversed; write {last}-{first}")
        left -= last - first + 1
        if left < 0:
            _within_most(MOST - left)
        yield from range(first, last + 1)


def _number(text: str, shown: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise BadSeeds(f"{shown!r} is no list of seeds; {EXAMPLES}")
    if len(text) > 20 or int(text) > SEED_MAX:
        raise BadSeeds(f"the seed {text[:20]} is not accepted; give seeds from 0 to {SEED_MAX}")
    return int(text)


def _within_most(count: int) -> int:
    if count > MOST:
        raise BadSeeds(f"{count} seeds are too many for one sweep; give {MOST} at most")
    return count
