# SPDX-License-Identifier: Apache-2.0
"""The training steps of records, put side by side.

Steps belong together that have the same rank (or place in the process tree), optimizer and call.
Of a step is compared what a trace has of it: the loss's bits, the positions of the generators, and
the fingerprint of each gradient and each parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seed_init.proof.trace.columns import coarsened

ALL = "all steps"
"""What a place is called where there is no other."""

KINDS = ("gradients", "parameters")

_NAMED = 2  # tensors or generators of a step that differ; the others are counted


class Place(NamedTuple):
    """What steps belong to.

    Attributes:
        rank: -1 where there are no ranks.
        path: in the process tree.
        turn: 0 for the first process with this rank and path, 1 for the second, ...
        optimizer: of that process, from 0.
    """

    rank: int
    path: tuple[str, ...]
    turn: int
    optimizer: int


@dataclass
class Seen:
    """What a record has of one step.

    Attributes:
        losses: value (None: of a loss that is no single number) and digest of each backward pass.
        sums: kind -> digest of all gradients, of all parameters.
        columns: kind -> 16 bits for each group of neighbouring tensors.
        group: kind -> how many tensors a column stands for.
        names: kind -> of the tensors, in order.
        positions: of the generators.
        order: of the step among all of its process.
    """

    losses: list[tuple[float | None, str]]
    sums: Mapping[str, str]
    columns: Mapping[str, Sequence[int]]
    group: Mapping[str, int]
    names: dict[str, list[str]]
    positions: Mapping[str, str]
    order: int

    @property
    def loss(self) -> float | None:
        """The mean over the step's backward passes; None where none gave a number."""
        values = [value for value, _ in self.losses if value is not None]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Unequal:
    """Something of a step that differs.

    Attributes:
        level: "draw", "loss", "gradient" or "parameter".
        names: of the tensors or generators.
        values: of the loss, or of the first of the names, in both runs.
    """

    level: str
    names: tuple[str, ...] = ()
    values: tuple[str, str] | None = None

    @property
    def words(self) -> str:
        """In a few words."""
        what = {"draw": "draws of", "gradient": "gradient of", "parameter": "parameter"}
        if self.level == "loss":
            return "loss"
        more = len(self.names) - _NAMED
        names = ", ".join(self.names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{what[self.level]} {names}" if names else self.level


@dataclass
class Trace:
    """The steps of one place in one record."""

    steps: dict[int, Seen] = field(default_factory=dict)


def places(headers: Sequence[Mapping[str, Any]]) -> list[tuple[int, tuple[str, ...], int]]:
    """Rank, path and turn of each process of a record (see `Place`).

    Args:
        headers: of those that are to be told apart, in the order in which they began.
    """
    turns: dict[tuple[int, tuple[str, ...]], int] = {}
    found = []
    for header in headers:
        rank = -1 if header["rank"] is None else header["rank"]
        path = tuple(map(str, header["path"] or ()))
        turn = turns.get((rank, path), 0)
        turns[rank, path] = turn + 1
        found.append((rank, path, turn))
    return found


def traces(
    processes: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
) -> dict[Place, Trace]:
    """The steps of a record by place, ranks in order.

    Args:
        processes: header and events of each.
    """
    # Those alone that train: a launcher, say, takes no turn.
    training = [(header, own) for header, events in processes if (own := _steps(events))]
    found = {
        Place(*place, optimizer): trace
        for place, (_, own) in zip(places([header for header, _ in training]), training)
        for optimizer, trace in own.items()
    }
    return dict(sorted(found.items()))


def _steps(events: Sequence[Mapping[str, Any]]) -> dict[int, Trace]:
    names: dict[tuple[int, str], list[str]] = {}
    found: dict[int, Trace] = {}
    for order, event in enumerate(events):
        if event["event"] == "tensors":
            names[event["optimizer"], event["kind"]] = event["names"]
        if event["event"] != "step":
            continue
        optimizer = event["optimizer"]
        found.setdefault(optimizer, Trace()).steps[event["call"]] = Seen(
            losses=[(_number(value), digest) for value, digest in event.get("loss") or ()],
            sums=event["sums"],
            columns={kind: event[kind] for kind in KINDS if kind in event},
            group=event["short"]["group"],
            names={kind: names.get((optimizer, kind), []) for kind in KINDS},
            positions=event.get("rng") or {},
            order=order,
        )
    return found


def _number(value: Any) -> float | None:
    """Of a loss: JSON has no nan and no inf, so that they are there by name."""
    return None if value is None else float(value)


def labels(places: Sequence[Place]) -> dict[Place, str]:
    """What a reader calls each place: nothing more than tells it from the others.

    Args:
        places: all of the report.
    """
    paths: dict[int, set[tuple[str, ...]]] = {}
    beside: dict[tuple[int, tuple[str, ...]], list[Place]] = {}
    for place in places:
        paths.setdefault(place.rank, set()).add(place.path)
        beside.setdefault((place.rank, place.path), []).append(place)
    turns = {key: any(each.turn for each in those) for key, those in beside.items()}
    optimizers = {key: any(each.optimizer for each in those) for key, those in beside.items()}
    found = {}
    for place in places:
        parts = []
        if place.rank >= 0:
            parts.append(f"rank {place.rank}")
        if len(paths[place.rank]) > 1:
            where = ".".join(map(str, place.path))
            parts.append(f"child {where}" if where else "main process")
        if turns[place.rank, place.path]:
            parts.append(f"process {place.turn + 1}")
        if optimizers[place.rank, place.path]:
            parts.append(f"optimizer {place.optimizer}")
        found[place] = ", ".join(parts) or ALL
    return found


def unequal(one: Seen, other: Seen) -> list[Unequal]:
    """What differs in a step, in the order in which a step makes it."""
    found: list[Unequal] = []
    shared = [name for name in one.positions if name in other.positions]
    moved = tuple(name for name in shared if one.positions[name] != other.positions[name])
    if moved:
        values = (str(one.positions[moved[0]]), str(other.positions[moved[0]]))
        found.append(Unequal("draw", moved, values))
    if [digest for _, digest in one.losses] != [digest for _, digest in other.losses]:
        found.append(Unequal("loss", (), (_shown(one), _shown(other))))
    for kind in KINDS:
        if (kind in one.sums) != (kind in other.sums):
            found.append(Unequal(kind.removesuffix("s")))
        elif kind in one.sums and (one.sums[kind], one.names[kind]) != (
            other.sums[kind],
            other.names[kind],
        ):
            found.append(_unequal_tensors(kind, one, other))
    return found


def _shown(seen: Seen) -> str:
    """Losses with their bits: two may look the same and not be."""
    return (
        ", ".join(
            f"fingerprint {digest}" if value is None else f"{value!r} (bits {digest})"
            for value, digest in seen.losses
        )
        or "none"
    )


def _unequal_tensors(kind: str, one: Seen, other: Seen) -> Unequal:
    level = kind.removesuffix("s")
    names, others = one.names[kind], other.names[kind]
    if names != others:
        odd = tuple(name for name in dict.fromkeys([*names, *others])
                    if (name in names) != (name in others))  # fmt: skip
        return Unequal(level, odd)  # none: the same ones in another order
    # Records of runs of unlike length may stand for groups of unlike size.
    group = max(one.group[kind], other.group[kind])
    columns = [
        coarsened(list(seen.columns[kind]), group // seen.group[kind]) for seen in (one, other)
    ]
    found = []
    for index, pair in enumerate(zip(*columns)):
        if pair[0] != pair[1]:
            members = names[index * group : (index + 1) * group]
            found.append(_member(members) if members else f"tensor {index * group}")
    return Unequal(level, tuple(found), (f"all {kind}: {one.sums[kind]}",
                                         f"all {kind}: {other.sums[kind]}"))  # fmt: skip


def _member(names: Sequence[str]) -> str:
    """A tensor, or where a column stands for several what is known of it."""
    return names[0] if len(names) == 1 else f"one of {names[0]} to {names[-1]}"
