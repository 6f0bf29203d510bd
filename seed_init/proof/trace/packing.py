# SPDX-License-Identifier: Apache-2.0
"""The steps of a trace in a few megabytes, and back.

Digests are random bits and do not compress. So a packed step keeps 64 bits for all gradients and
64 for all parameters, which show any difference, and 16 bits by tensor, which show where it is.
Where even these are too many, one column stands for a group of 2, 4, 8, ... neighbouring tensors:
their 16 bits, XORed, so that a fine column can be made coarse again and two records always compare.

What a step looks like when it is read back (`unpack`); `steps.Step` is made of it:

    {"event": "step", "optimizer": 0, "call": 3, "rng": {...}, "loss": [[1.5, "3ff8..."]],
     "gradients": [ints of 16 bits], "parameters": [...],
     "sums": {"gradients": "16 hex digits", "parameters": "..."},
     "short": {"bits": 16, "group": {"gradients": 1, "parameters": 1}},
     "unreadable": {"parameters": "5"}}

"unreadable" is there only where a tensor could not be read: bit i of the hexadecimal number stands
for column i. Its column and the sum then say nothing about it.

Column i of group g stands for the tensors i*g ... i*g+g-1 of the "tensors" event. Two tensors of
one group that change by the same bits cancel in their column, but not in the sums.
"""

import json
import struct
import zlib
from array import array
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from seed_init.proof.trace import validation
from seed_init.proof.trace.columns import coarsened, folded, summed, unreadable
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.validation import Invalid, Room

FORMAT = 1

BUDGET = 9_000_000
"""Bytes that the steps of one record may take, in base64."""

FIXED = 64
"""Bytes of a step besides its columns: two sums, the loss, and positions of generators."""

COLUMNS_MOST = 300
"""Columns of a step: gradients and parameters together, however short the run is."""

VECTORS = ("gradients", "parameters")
_NAMED = {"event", "optimizer", "call", "rng", "loss", *VECTORS}

UNREADABLE_MOST = 1000
"""Hexadecimal digits of the columns that could not be read: more than the columns have."""

CALL_MOST = 2**53
"""No call of an optimizer has this number; a double holds every one below."""

ITEMS_A_STEP = 10
"""Values that a step has besides its columns, losses and generators."""


class Unpackable(Invalid):
    """Packed steps that this version cannot read. The text is one line for the user."""


def pack(processes: list[Process], left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The events of processes, steps in columns.

    Args:
        processes: of a trace.
        left_out: kinds of events that the record keeps elsewhere.
    """
    steps = sum(len(process.of("step")) for process in processes)
    room = BUDGET * 3 // 4 // max(1, steps) - FIXED
    columns = max(2, min(COLUMNS_MOST, room // 2))
    return {
        "format": FORMAT,
        "bits": 16,
        "steps": steps,
        "processes": [_pack(process, columns, left_out) for process in processes],
    }


def unpack(packed: dict[str, Any], room: Room | None = None) -> list[list[dict[str, Any]]]:
    """The events of each process, in order.

    Args:
        packed: what `pack` made, or what has the shape of it by the schema.
        room: how much of it may be read; as much as a large record has if None.

    Raises:
        Unpackable: another version's.
        Invalid: it is damaged, or unpacks to more than a record has.
    """
    check_format({"trace": packed})
    room = room or Room(validation.FILE_MOST)
    processes = []
    for number, process in enumerate(packed["processes"]):
        try:
            processes.append(_unpack(process, room))
        except Invalid as error:
            raise Invalid(f"the trace of process {number}: {error}") from None
    return processes


def check_format(record: dict[str, Any]) -> None:
    """Refuse the record of another version by the number of its format.

    Raises:
        Unpackable: it is another one.
    """
    trace = record.get("trace")
    number = trace.get("format") if isinstance(trace, dict) else None
    if isinstance(number, int) and number != FORMAT:
        raise Unpackable(
            f"the steps are packed in format {str(number)[:20]}, this version reads "
            f"{FORMAT}; use the version of seed-init that wrote the record"
        )


def _pack(process: Process, columns: int, left_out: frozenset[str]) -> dict[str, Any]:
    blocks: dict[Any, _Block] = {}
    order: list[int] = []
    others: list[Any] = []
    for event in process.events:
        if event["event"] == "step":
            key = _layout(event)
            block = blocks.setdefault(key, _Block(len(blocks), key, columns))
            block.add(event)
            order.append(block.number)
        elif event["event"] not in left_out:
            others.append([len(order), event])
    return {
        # In which the table of tensors may come again and again, where it changes.
        "others": _text(others),
        "order": _zipped(array("H", order).tobytes()),
        "blocks": [block.packed() for block in blocks.values()],
    }


def _unpack(packed: dict[str, Any], room: Room) -> list[dict[str, Any]]:
    # What takes no room in the file must not take any here: before anything is made of it.
    total = sum(block["steps"] for block in packed["blocks"])
    room.take(total * ITEMS_A_STEP)
    order = _numbers("H", packed["order"], total, room)
    counts = Counter(order)
    if any(counts[number] != block["steps"] for number, block in enumerate(packed["blocks"])):
        raise Invalid("the order of its steps has other steps than its blocks")
    others = _others(packed["others"], total, room)
    blocks = [_steps(block, room) for block in packed["blocks"]]
    events: list[dict[str, Any]] = []
    next_other = 0
    for position, number in enumerate(order):
        while next_other < len(others) and others[next_other][0] <= position:
            events.append(others[next_other][1])
            next_other += 1
        events.append(next(blocks[number]))
    return events + [event for _, event in others[next_other:]]


def _others(packed: str, steps: int, room: Room) -> list[tuple[int, dict[str, Any]]]:
    """Return the events that are no steps, each with the number of steps before the event."""
    pairs = _untext(packed, room)
    before, others = 0, []
    for pair in _list(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            raise Invalid("an event does not say how many steps come before it")
        steps_before, event = pair
        if type(steps_before) is not int or not before <= steps_before <= steps:
            raise Invalid("an event does not say how many steps come before it")
        before = steps_before
        if validation.event(event)["event"] == "step":
            raise Invalid("a step is among the events that are none")
        others.append((before, event))
    return others


def _layout(event: dict[str, Any]) -> tuple[Any, ...]:
    """What all steps of a block have in common."""
    lengths = [len(event[kind]) if isinstance(event.get(kind), str) else None for kind in VECTORS]
    return (event["optimizer"], *lengths, tuple(event.get("rng") or ()))


class _Block:
    """Steps of one optimizer with the same tensors."""

    def __init__(self, number: int, layout: tuple[Any, ...], columns: int) -> None:
        self.number = number
        self.optimizer, self.generators = layout[0], layout[3]
        self.has = [kind for kind, length in zip(VECTORS, layout[1:3]) if length is not None]
        # The same for both kinds: two runs with as many steps have the same columns.
        longest = max([0, *(length for length in layout[1:3] if length is not None)]) * 3 // 32
        self.group = 1
        while len(self.has) * -(-longest // self.group) > columns:
            self.group *= 2
        self.calls: list[int] = []
        self.vectors: dict[str, list[array[int]]] = {kind: [] for kind in self.has}
        self.sums: dict[str, list[str]] = {kind: [] for kind in self.has}
        self.rng: dict[str, list[str]] = {name: [] for name in self.generators}
        self.losses: list[Any] = []
        self.rest: list[Any] = []

    def add(self, event: dict[str, Any]) -> None:
        self.calls.append(event["call"])
        rest = {name: value for name, value in event.items() if name not in _NAMED}
        unknown: dict[str, str] = {}
        for kind in self.has:
            raw = b64decode(event[kind])
            if bits := unreadable(raw, self.group):
                unknown[kind] = f"{bits:x}"
            self.vectors[kind].append(coarsened(folded(raw), self.group))
            self.sums[kind].append(summed(raw))
        for name in self.generators:
            self.rng[name].append(event["rng"][name])
        self.losses.append(event.get("loss"))
        self.rest.append({**rest, "unreadable": unknown} if unknown else rest)

    def packed(self) -> dict[str, Any]:
        return {
            "optimizer": self.optimizer,
            "steps": len(self.calls),
            "group": self.group,
            "call": _zipped(_differences(self.calls)),
            "vectors": {kind: _columns(vectors) for kind, vectors in self.vectors.items()},
            "sums": {kind: _digests(sums) for kind, sums in self.sums.items()},
            "rng": {name: _digests(positions) for name, positions in self.rng.items()},
            "loss": _losses(self.losses),
            "rest": _text(self.rest) if any(self.rest) else None,
        }


def _steps(block: dict[str, Any], room: Room) -> Iterator[dict[str, Any]]:
    """Yield the steps of a block. The block is checked when the first step is asked for."""
    steps, group = block["steps"], block["group"]
    if group & (group - 1) or group > CALL_MOST:
        raise Invalid(f"{group} tensors share a column, which is no power of 2")
    if block["vectors"].keys() != block["sums"].keys():
        raise Invalid("it has sums without columns, or columns without sums")
    calls = _numbers("q", block["call"], steps, room)
    vectors = {kind: _rows(columns, steps, room) for kind, columns in block["vectors"].items()}
    sums = {kind: _undigest(column, steps, room) for kind, column in block["sums"].items()}
    rng = {name: _undigest(column, steps, room) for name, column in block["rng"].items()}
    losses = _unlosses(block["loss"], steps, room)
    rest = _rest(block["rest"], steps, room)
    call = 0
    for index in range(steps):
        call += calls[index]
        if not 0 <= call < CALL_MOST:
            raise Invalid(f"a step has the number {call}")
        yield {
            "event": "step",
            "optimizer": block["optimizer"],
            "call": call,
            "rng": {name: positions[index] for name, positions in rng.items()},
            "loss": losses[index],
            **rest[index],
            **{kind: rows[index] for kind, rows in vectors.items()},
            "sums": {kind: digests[index] for kind, digests in sums.items()},
            "short": {"bits": 16, "group": dict.fromkeys(vectors, group)},
        }


def _rest(packed: str | None, steps: int, room: Room) -> list[dict[str, Any]]:
    if packed is None:
        return [{}] * steps
    rest = _list(_untext(packed, room), steps)
    for entry in rest:
        if not isinstance(entry, dict) or not entry.keys().isdisjoint((*_NAMED, "sums", "short")):
            raise Invalid("what else a step has takes the place of what it has")
        if "unreadable" in entry and not _are_columns(entry["unreadable"]):
            raise Invalid("a step does not say which of its tensors could not be read")
    return rest


def _are_columns(found: Any) -> bool:
    return isinstance(found, dict) and all(
        kind in VECTORS
        and isinstance(bits, str)
        and _is_hex(bits)
        # int() would take a sign, white space and nothing at all otherwise.
        and 0 < len(bits) <= UNREADABLE_MOST
        for kind, bits in found.items()
    )


def _differences(numbers: list[int]) -> bytes:
    return array("q", [now - before for before, now in zip([0, *numbers], numbers)]).tobytes()


def _columns(rows: "list[array[int]]") -> dict[str, Any]:
    """Pack rows of steps by columns: a tensor that does not change then takes no room."""
    width = len(rows[0])
    flat = array("H")
    for row in rows:
        flat.extend(row)
    by_column = b"".join(flat[column::width].tobytes() for column in range(width))
    return {"columns": width, "data": _zipped(by_column)}


def _rows(packed: dict[str, Any], steps: int, room: Room) -> list[list[int]]:
    width = packed["columns"]
    room.take(width * steps)
    columns = _numbers("H", packed["data"], width * steps, room)
    return [list(columns[step::steps]) for step in range(steps)]


def _digests(texts: list[str]) -> dict[str, Any]:
    """Pack a column of texts: 16 hex digits as a number, all other texts as they are.

    Zero stands for "as before": a generator that nobody draws from then takes no room.
    """
    if not all(len(text) == 16 and _is_hex(text) for text in texts):
        return {"kind": "text", "data": _text(texts)}
    numbers = [int(text, 16) for text in texts]
    changes = array("Q", [now ^ before for before, now in zip([0, *numbers], numbers)])
    return {"kind": "hex", "data": _zipped(changes.tobytes())}


def _is_hex(text: str) -> bool:
    return not text.strip("0123456789abcdef")


def _undigest(packed: dict[str, Any], steps: int, room: Room) -> list[str]:
    room.take(steps)
    if packed["kind"] == "text":
        values = _list(_untext(packed["data"], room), steps)
        if not all(isinstance(text, str) for text in values):
            raise Invalid("a column of texts has something else in it")
        return values
    number, texts = 0, []
    for change in _numbers("Q", packed["data"], steps, room):
        number ^= change
        texts.append(f"{number:016x}")
    return texts


def _losses(losses: list[Any]) -> dict[str, Any]:
    """The losses, [[value, bits], ...] a step. The bits of a number say its value.

    Each byte of them by itself: the lower ones of a float32 are zero.
    """
    counts = [len(step_losses) if isinstance(step_losses, list) else -1 for step_losses in losses]
    pairs = [
        pair for step_losses in losses if isinstance(step_losses, list) for pair in step_losses
    ]
    if not all(_is_plain(pair) for pair in pairs) or -1 in counts:
        return {"kind": "text", "data": _text(losses)}
    bits = b"".join(bytes.fromhex(digest) for _, digest in pairs)
    return {
        "kind": "bits",
        "counts": _zipped(array("H", counts).tobytes()),
        "numbers": _zipped(bytes(value is not None for value, _ in pairs)),
        "data": _zipped(b"".join(bits[byte::8] for byte in range(8))),
    }


def _is_plain(pair: Any) -> bool:
    value, digest = pair
    return (
        isinstance(digest, str)
        and len(digest) == 16
        and _is_hex(digest)
        and (value is None or validation.shown(digest) == value)
    )


def _unlosses(packed: dict[str, Any], steps: int, room: Room) -> list[Any]:
    if packed["kind"] == "text":
        losses = _list(_untext(packed["data"], room), steps)
        for step_losses in losses:
            validation.losses(step_losses)
        return losses
    counts = _numbers("H", packed["counts"], steps, room)
    count = sum(counts)
    room.take(3 * count)
    numbers = room.inflated(packed["numbers"], count)
    flat = room.inflated(packed["data"], 8 * count)
    digests = [flat[index::count].hex() for index in range(count)]
    pairs = iter(
        [
            [validation.shown(digest) if number else None, digest]
            for digest, number in zip(digests, numbers)
        ]
    )
    return [[next(pairs) for _ in range(n)] for n in counts]


def _text(values: list[Any]) -> str:
    return _zipped(json.dumps(values, separators=(",", ":")).encode())


def _untext(packed: str, room: Room) -> Any:
    return validation.parsed(room.inflated(packed), room)


def _list(value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or length not in (None, len(value)):
        raise Invalid("a column has another length than there are steps")
    return value


def _numbers(code: str, packed: str, count: int, room: Room) -> "array[int]":
    return array(code, room.inflated(packed, count * struct.calcsize(f"={code}")))


def _zipped(content: bytes) -> str:
    return b64encode(zlib.compress(content, 6)).decode()
