# SPDX-License-Identifier: Apache-2.0
"""The seeds that code gave in two runs: the first one that is not the same."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from seed_init.proof.comparing.align import paired
from seed_init.proof.comparing.difference import Difference, source_of
from seed_init.proof.trace.journal import Process

Event = dict[str, Any]


def first_unequal(first: "Sequence[Process]", second: "Sequence[Process]") -> Difference | None:
    """The first seed that one run gives a generator and the other one gives it another.

    Seeds are compared by the line that gives them, the n-th with the n-th: what only one of the
    runs does is no matter of seeds.

    Args:
        first: the processes of a run with the instrument `seeds`.
        second: the processes of another such run.
    """
    pairs, _ = paired(first, second)
    for process, counterpart in pairs:
        there: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
        for event in counterpart.of("seed"):
            there[_key(event)].append(event)
        for event in process.of("seed"):
            left = there[_key(event)]
            partner = left.pop(0) if left else event
            if partner["digest"] != event["digest"]:
                return _difference(event, partner, process.rank)
    return None


def _key(event: Event) -> tuple[Any, ...]:
    return tuple(event.get(name) for name in ("generator", "name", "file", "line"))


def _difference(event: Event, partner: Event, rank: int | None) -> Difference:
    values = [event["given"], partner["given"]]
    what = f"{values[0]} and {values[1]}" if values[0] != values[1] else "not the same"
    source = source_of(event)
    return Difference(
        "seed",
        f"the seed that {event['name']} gets is {what}, at {source}",
        generator=event["generator"],
        source=source,
        values=values,
        rank=rank,
    )


def compiled(processes: "Sequence[Process]") -> list[str]:
    """The compiled packages that the processes of a run imported, whose generators nobody sees."""
    return sorted(
        {name for process in processes for e in process.of("compiled") for name in e["names"]}
    )
