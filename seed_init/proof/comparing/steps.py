# SPDX-License-Identifier: Apache-2.0
"""The first difference between two traces, step by step."""

import struct
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.trace import packing
from seed_init.proof.trace.journal import UNREADABLE, Process

Pair = tuple[Process, Process]
ORDER = ("draw", "loss", "gradient", "parameter")
"""Of what differs at one step: what can only be a consequence of another one comes after it."""


@dataclass(frozen=True)
class InCommon:
    """What two runs both have, so that it can be compared.

    Attributes:
        processes: pairs of processes that belong together.
        steps: of the pair that has the most.
        final_weights: parameters whose final digests both have, of all pairs.
        generators: names of those whose last position both have, in some pair.
        alone: processes that only one of the runs has.
    """

    processes: int
    steps: int
    final_weights: int
    generators: tuple[str, ...]
    alone: int

    def __bool__(self) -> bool:
        """False where no comparison can say anything, because nothing was looked at."""
        return bool(self.steps or self.final_weights or self.generators)


def in_common(a: list[Process], b: list[Process]) -> InCommon:
    """What of two runs can be compared.

    Args:
        a: the processes of one run, as `journal.read` gives them, or a record's.
        b: those of the other one.
    """
    pairs, alone = paired(a, b)
    steps, weights, generators = [0], 0, set()
    for one, other in pairs:
        steps.append(min(len(one.of("step")), len(other.of("step"))))
        ends = one.of("end"), other.of("end")
        if all(ends):
            x, y = ends[0][-1], ends[1][-1]
            generators |= x["generators"].keys() & y["generators"].keys()
            finals = [
                {each["optimizer"]: each["digests"] for each in end["final"]} for end in (x, y)
            ]
            weights += sum(
                # Of a tensor without contents there is no digest.
                bool(digest and another)
                for optimizer in finals[0].keys() & finals[1].keys()
                for digest, another in zip(finals[0][optimizer], finals[1][optimizer])
            )
    return InCommon(len(pairs), max(steps), weights, tuple(sorted(generators)), len(alone))


def first_difference(a: list[Process], b: list[Process]) -> Difference | None:
    """Compare the traces of two runs.

    Args:
        a: the processes of one run, as `journal.read` gives them, or a record's.
        b: those of the other one.

    Returns:
        What was first observed to differ: the earliest step of all processes, and there what
        comes first in `ORDER`. None where everything that is in both is equal.
    """
    pairs, alone = paired(a, b)
    found = []
    for number, (one, other) in enumerate(pairs):
        difference = _in_steps(one, other) or _at_end(one, other)
        if difference is not None:
            difference.rank, difference.process = one.rank, number
            found.append(difference)
    if not found and any(process.of("step") for process in alone):
        return Difference(
            "trace", f"{len(alone)} process(es) trained in one run and not in the other one"
        )
    return min(found, key=_precedence, default=None)


def _precedence(difference: Difference) -> tuple[float, int, int]:
    step = difference.step if difference.step is not None else float("inf")
    order = ORDER.index(difference.level) if difference.level in ORDER else len(ORDER)
    return step, order, difference.rank or 0


def paired(a: list[Process], b: list[Process]) -> tuple[list[Pair], list[Process]]:
    """Which processes of two runs belong together, and those that belong to none.

    By rank, place in the process tree and command line, and of several with the same ones by
    when they began. Command lines may have names of temporary files in them (a notebook's
    kernel does), so what is left then is paired by how they begin, and at last without them.
    """
    found: dict[int, int] = {}  # place in a -> place in b
    for words in (_words, _outline, _nothing):
        taken = set(found.values())
        # By key and not by a search: a foreign record may have a hundred thousand processes.
        waiting: dict[Any, list[int]] = {}
        for number in reversed(range(len(b))):
            if number not in taken:
                waiting.setdefault(_key(b[number], words), []).append(number)
        for number, one in enumerate(a):
            if number not in found and (queue := waiting.get(_key(one, words))):
                found[number] = queue.pop()
    taken = set(found.values())
    alone = [each for number, each in enumerate(a) if number not in found]
    alone += [each for number, each in enumerate(b) if number not in taken]
    return [(a[one], b[found[one]]) for one in sorted(found)], alone


def _key(process: Process, words: Callable[[list[str]], list[str]]) -> tuple[Any, ...]:
    header = process.header
    return header["rank"], tuple(header["path"]), tuple(words(header["argv"][1:]))


def _words(given: list[str]) -> list[str]:
    return given


def _outline(given: list[str]) -> list[str]:
    # A kernel (-m ipykernel_launcher) that was killed before it wrote is not taken for the
    # process that started it.
    return ["" if "/" in word else word for word in given[:2]]


def _nothing(given: list[str]) -> list[str]:
    return []


def _in_steps(a: Process, b: Process) -> Difference | None:
    tables: dict[Any, list[str]] = {}
    kinds = ("tensors", "start", "step")
    for one, other in zip_longest(_told(a, kinds, tables), _told(b, kinds, {})):
        if one is None or other is None:
            present = one or other
            longer, shorter = ("first", b) if other is None else ("second", a)
            text = f"only one of the runs (the {longer}) has this step"
            if not shorter.of("end"):
                text += (
                    "; the process of the other one did not come to its end, and steps that were "
                    "on a device then are lost"
                )
            return Difference(
                "trace",
                text,
                step=present["call"] if present["event"] == "step" else 0,
                optimizer=present["optimizer"],
            )
        difference = _unequal(one, other, tables)
        if difference is not None:
            return difference
    return None


def _told(
    process: Process, kinds: tuple[str, ...], tables: dict[Any, list[str]]
) -> Iterator[dict[str, Any]]:
    """The starts and steps of a process; tables of names are kept as they come."""
    for event in process.of(*kinds):
        if event["event"] == "tensors":
            tables[event["optimizer"], event["kind"]] = event["names"]
        else:
            yield event


def _unequal(
    a: dict[str, Any], b: dict[str, Any], tables: dict[Any, list[str]]
) -> Difference | None:
    place = {"step": a.get("call", 0), "optimizer": a["optimizer"]}
    if (a["event"], *place.values()) != (b["event"], b.get("call", 0), b["optimizer"]):
        return Difference(
            "trace", f"the runs step in another order: {_named(a)} and {_named(b)}", **place
        )
    if a["event"] == "start":
        return _tensors("parameters", a, b, tables, " before the first step", place)
    return (
        _generators(a["rng"], b["rng"], place)
        or _losses(a["loss"], b["loss"], place)
        or _tensors("gradients", a, b, tables, "", place)
        or _tensors("parameters", a, b, tables, "", place)
    )


def _named(event: dict[str, Any]) -> str:
    return f"{event['event']} {event.get('call', 0)} of optimizer {event['optimizer']}"


def _generators(a: dict[str, str], b: dict[str, str], place: Any) -> Difference | None:
    # A library that only one run has imported by now is seen when it is drawn from.
    for name in sorted(a.keys() & b.keys()):
        if a[name] != b[name]:
            text = f"the generator of {name} stands elsewhere: draws in one run only, or others"
            return Difference("draw", text, generator=name, **place)
    return None


def _losses(a: list[Any], b: list[Any], place: Any) -> Difference | None:
    if [digest for _, digest in a] == [digest for _, digest in b]:
        return None
    if len(a) != len(b):
        return Difference("loss", f"{len(a)} and {len(b)} backward passes", **place)
    one, other = next((x, y) for x, y in zip(a, b) if x[1] != y[1])
    values: list[Any] = [one[0], other[0]]
    if values[0] == values[1] and values[0] is not None:
        # There is more than one nan.
        values = [f"{value} (bits {digest})" for value, digest in (one, other)]
    text = f"the loss is {values[0]} and {values[1]}" if None not in values else "the loss differs"
    return Difference("loss", text, values=values, **place)


def _tensors(
    kind: str, a: Any, b: Any, tables: dict[Any, list[str]], when: str, place: Any
) -> Difference | None:
    level = kind.removesuffix("s")
    if (kind in a) != (kind in b):
        return Difference(level, f"only one of the runs has {kind}{when}", **place)
    if "short" in a or "short" in b:
        return _short_tensors(kind, a, b, tables, place)
    one, other = (numbers(each.get(kind, "")) for each in (a, b))
    if len(one) != len(other):
        text = f"{len(one)} and {len(other)} {kind}{when}"
        return Difference(level, text, **place)
    unequal = [
        number
        for number, pair in enumerate(zip(one, other))
        # What could not be read is no difference, and reported by itself.
        if pair[0] != pair[1] and UNREADABLE not in pair
    ]
    if not unequal:
        return None
    names = tables.get((a["optimizer"], kind), [])
    # A backward pass goes from the last layer to the first.
    first = unequal[-1 if kind == "gradients" else 0]
    name = names[first] if first < len(names) else f"number {first}"
    more = f" and {len(unequal) - 1} of {len(one) - 1} others" if len(unequal) > 1 else ""
    verb = "differ" if more else "differs"
    return Difference(level, f"the {level} {name}{more} {verb}{when}", tensor=name, **place)


def _short_tensors(
    kind: str, a: Any, b: Any, tables: dict[Any, list[str]], place: Any
) -> Difference | None:
    """Of records, which keep one sum for all tensors and a few bits for each, or for a group."""
    one, other = (each if "short" in each else packing.shorten(each) for each in (a, b))
    if one["sums"].get(kind) == other["sums"].get(kind):
        return None
    level = kind.removesuffix("s")
    groups = [each["short"]["group"].get(kind, 1) for each in (one, other)]
    wide = max(groups)
    columns = [
        list(packing.coarsened(each[kind], wide // group))
        for each, group in zip((one, other), groups)
    ]
    unequal = [number for number, pair in enumerate(zip(*columns)) if pair[0] != pair[1]]
    if len(columns[0]) != len(columns[1]) or not unequal:
        return Difference(level, f"the {kind} differ", **place)
    first = unequal[-1 if kind == "gradients" else 0] * wide
    names = tables.get((a["optimizer"], kind), [])[first : first + wide]
    name = names[0] if len(names) == 1 else None
    which = name or (f"one of {names[0]} to {names[-1]}" if names else f"number {first}")
    more = f" and {len(unequal) - 1} others" if len(unequal) > 1 else ""
    verb = "differ" if more else "differs"
    return Difference(level, f"the {level} {which}{more} {verb}", tensor=name, **place)


def numbers(vector: Any) -> list[int]:
    """The fingerprints of a trace's event, or of a record's, which has them as a list."""
    if isinstance(vector, list):
        return vector
    content = b64decode(vector)
    return list(struct.unpack(f"<{len(content) // 8}q", content))


def _at_end(a: Process, b: Process) -> Difference | None:
    """What differs after the last step: the final weights, and where the generators stand."""
    ends = a.of("end"), b.of("end")
    if not all(ends):
        return None
    one, other = ends[0][-1], ends[1][-1]
    finals = [{each["optimizer"]: each for each in end["final"]} for end in (one, other)]
    for optimizer in sorted({*finals[0], *finals[1]}):
        x, y = (final.get(optimizer) for final in finals)
        if x is None or y is None:
            return Difference("trace", f"only one of the runs made optimizer {optimizer}")
        pairs = list(zip(x["digests"], y["digests"]))
        # An empty one is of what has no contents, or could not be read, which is reported.
        unequal = [i for i, pair in enumerate(pairs) if pair[0] != pair[1] and "" not in pair]
        if unequal or len(x["digests"]) != len(y["digests"]):
            number = unequal[0] if unequal else len(pairs)
            names = _parameter_names(a, x["optimizer"])
            name = names[number] if number < len(names) else f"number {number}"
            text = f"the final parameter {name} differs"
            return Difference("parameter", text, tensor=name, optimizer=x["optimizer"])
    for name in sorted(one["generators"].keys() & other["generators"].keys()):
        if one["generators"][name] != other["generators"][name]:
            text = f"the generator of {name} stands elsewhere at the end"
            return Difference("generator", text, generator=name)
    return None


def _parameter_names(process: Process, optimizer: int) -> list[str]:
    tables = [
        event["names"]
        for event in process.of("tensors")
        if event["optimizer"] == optimizer and event["kind"] == "parameters"
    ]
    return tables[-1] if tables else []
