"""The steps of a trace in a few megabytes, and back.

Digests are random bits and do not compress. So a packed step keeps 64 bits for all gradients and
64 for all parameters, which show any difference, and 16 bits by tensor, which show where it is.
Where even these are too many, one column stands for a group of 2, 4, 8, ... neighbouring tensors:
their 16 bits, XORed, so that a fine column can be made coarse again and two records always compare.

What a step looks like, read back (`unpack`) or made from a journal's step (`shorten`):

    {"event": "step", "optimizer": 0, "call": 3, "rng": {...}, "loss": [[1.5, "3ff8..."]],
     "gradients": [ints of 16 bits], "parameters": [...],
     "sums": {"gradients": "16 hex digits", "parameters": "..."},
     "short": {"bits": 16, "group": {"gradients": 1, "parameters": 1}}}

Column i of group g stands for the tensors i*g ... i*g+g-1 of the "tensors" event. Two tensors of
one group that change by the same bits cancel in their column, but not in the sums.
"""

import json
import zlib
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from seed_init.proof.journal import Process

FORMAT = 1

BUDGET = 9_000_000
"""Bytes that the steps of one record may take, in base64."""

FIXED = 64
"""Bytes of a step besides its columns: two sums, the loss, and positions of generators."""

COLUMNS_MOST = 300
"""Columns of a step: gradients and parameters together, however short the run is."""

VECTORS = ("gradients", "parameters")
_NAMED = {"event", "optimizer", "call", "rng", "loss", *VECTORS}


class Unpackable(Exception):
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


def unpack(packed: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The events of each process, in order.

    Raises:
        Unpackable: another version's.
    """
    if packed.get("format") != FORMAT:
        raise Unpackable(
            f"the steps are packed in format {packed.get('format')!r}, this version reads "
            f"{FORMAT}; use the version of seed-init that wrote the record"
        )
    return [_unpack(each) for each in packed["processes"]]


def shorten(event: dict[str, Any], group: dict[str, int] | None = None) -> dict[str, Any]:
    """A journal's step as it is read back from a record.

    Args:
        event: of kind "step".
        group: tensors a column, by kind of vector; 1 if not given.
    """
    short: dict[str, Any] = {name: value for name, value in event.items() if name not in VECTORS}
    short["sums"], groups = {}, {}
    for kind in VECTORS:
        if isinstance(event.get(kind), str):
            raw = b64decode(event[kind])
            groups[kind] = (group or {}).get(kind, 1)
            short[kind] = list(coarsened(_folded(raw), groups[kind]))
            short["sums"][kind] = _sum(raw)
    short["short"] = {"bits": 16, "group": groups}
    return short


def coarsened(columns: "array[int] | list[int]", factor: int) -> "array[int]":
    """Columns that each stand for `factor` of the given ones: how unlike records compare.

    Args:
        columns: of 16 bits.
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


def _folded(raw: bytes) -> "array[int]":
    """16 bits by digest of 64: its four quarters, XORed, so that each bit of it counts.

    All digests at once, as one long number: by themselves they would take Python seconds.
    """
    number = int.from_bytes(raw, "little")
    number ^= number >> 32
    number ^= number >> 16
    # What the shifts brought in from the next digest is in the upper quarters, which are not taken.
    return array("H", number.to_bytes(len(raw), "little"))[0::4]


def _sum(raw: bytes) -> str:
    """64 bits for a whole vector, in which each digest and its place count."""
    return blake2b(raw, digest_size=8).hexdigest()


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


def _unpack(packed: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [_steps(block) for block in packed["blocks"]]
    order = array("H", _unzipped(packed["order"]))
    others = _untext(packed["others"])
    events: list[dict[str, Any]] = []
    for place, number in enumerate(order):
        while others and others[0][0] <= place:
            events.append(others.pop(0)[1])
        events.append(next(blocks[number]))
    return events + [event for _, event in others]


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
        for kind in self.has:
            raw = b64decode(event[kind])
            self.vectors[kind].append(coarsened(_folded(raw), self.group))
            self.sums[kind].append(_sum(raw))
        for name in self.generators:
            self.rng[name].append(event["rng"][name])
        self.losses.append(event.get("loss"))
        self.rest.append({name: value for name, value in event.items() if name not in _NAMED})

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


def _steps(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    steps, group = block["steps"], block["group"]
    calls = array("q", _unzipped(block["call"]))
    vectors = {kind: _rows(columns, steps) for kind, columns in block["vectors"].items()}
    sums = {kind: _undigest(column, steps) for kind, column in block["sums"].items()}
    rng = {name: _undigest(column, steps) for name, column in block["rng"].items()}
    losses = _unlosses(block["loss"], steps)
    rest = _untext(block["rest"]) if block["rest"] else [{}] * steps
    call = 0
    for place in range(steps):
        call += calls[place]
        yield {
            "event": "step",
            "optimizer": block["optimizer"],
            "call": call,
            "rng": {name: positions[place] for name, positions in rng.items()},
            "loss": losses[place],
            **rest[place],
            **{kind: rows[place] for kind, rows in vectors.items()},
            "sums": {kind: digests[place] for kind, digests in sums.items()},
            "short": {"bits": 16, "group": dict.fromkeys(vectors, group)},
        }


def _differences(numbers: list[int]) -> bytes:
    return array("q", [now - before for before, now in zip([0, *numbers], numbers)]).tobytes()


def _columns(rows: "list[array[int]]") -> dict[str, Any]:
    """Step by step to column by column: a tensor that does not change then takes no room."""
    width = len(rows[0])
    flat = array("H")
    for row in rows:
        flat.extend(row)
    by_column = b"".join(flat[column::width].tobytes() for column in range(width))
    return {"columns": width, "data": _zipped(by_column)}


def _rows(packed: dict[str, Any], steps: int) -> list[list[int]]:
    columns = array("H", _unzipped(packed["data"]))
    return [list(columns[step::steps]) for step in range(steps)]


def _digests(texts: list[str]) -> dict[str, Any]:
    """A column of short texts. Of 16 hex digits each half is stored; others as they are.

    Zero stands for "as before": a generator that nobody draws from then takes no room.
    """
    if not all(len(text) == 16 and _is_hex(text) for text in texts):
        return {"kind": "text", "data": _text(texts)}
    numbers = [int(text, 16) for text in texts]
    changes = array("Q", [now ^ before for before, now in zip([0, *numbers], numbers)])
    return {"kind": "hex", "data": _zipped(changes.tobytes())}


def _is_hex(text: str) -> bool:
    return not text.strip("0123456789abcdef")


def _undigest(packed: dict[str, Any], steps: int) -> list[str]:
    if packed["kind"] == "text":
        texts: list[str] = _untext(packed["data"])
        return texts
    number, texts = 0, []
    for change in array("Q", _unzipped(packed["data"])):
        number ^= change
        texts.append(f"{number:016x}")
    return texts


def _losses(losses: list[Any]) -> dict[str, Any]:
    """The losses, [[value, bits], ...] a step. The bits of a number say its value.

    Each byte of them by itself: the lower ones of a float32 are zero.
    """
    counts = [len(each) if isinstance(each, list) else -1 for each in losses]
    pairs = [pair for each in losses if isinstance(each, list) for pair in each]
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
        and (value is None or _value(digest) == value)
    )


def _value(digest: str) -> float | str:
    """The number of some bits as the journal has it: as text where JSON has no such number."""
    number: float = array("d", bytes.fromhex(digest)[::-1])[0]
    return number if number - number == 0 else str(number)


def _unlosses(packed: dict[str, Any], steps: int) -> list[Any]:
    if packed["kind"] == "text":
        losses: list[Any] = _untext(packed["data"])
        return losses
    flat, numbers = _unzipped(packed["data"]), _unzipped(packed["numbers"])
    count = len(numbers)
    digests = [flat[place::count].hex() for place in range(count)]
    pairs = iter(
        [[_value(digest) if number else None, digest] for digest, number in zip(digests, numbers)]
    )
    return [[next(pairs) for _ in range(n)] for n in array("H", _unzipped(packed["counts"]))]


def _text(values: list[Any]) -> str:
    return _zipped(json.dumps(values, separators=(",", ":")).encode())


def _untext(packed: str) -> Any:
    return json.loads(_unzipped(packed))


def _zipped(content: bytes) -> str:
    return b64encode(zlib.compress(content, 6)).decode()


def _unzipped(text: str) -> bytes:
    return zlib.decompress(b64decode(text))
