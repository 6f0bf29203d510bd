# SPDX-License-Identifier: Apache-2.0
"""What is read of records and traces is checked here, once, before anybody uses it.

A record comes from another machine, a trace from a run that was killed: anything may be in them.
Two things are asked. Is it small enough: text of a few hundred kilobytes may unpack to more than
the machine has. And is it whole: its shape by the published schema (`schemas`), and that what is in
two places agrees. What passes, every reader may use without a second look.
"""

import json
import struct
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seed_init.proof.trace import schemas

FILE_MOST = 128 << 20
"""Bytes of a record's file, and of a line of a trace. A run of 10,000 steps takes 10 MB of them."""

VALUES_MOST = 4_000_000
"""Values of the JSON of one record, or of a line of a trace: 100,000 files have 700,000."""

ITEMS_LEAST = 6_000_000
"""Numbers that may be packed even in the smallest file: 10,000 steps with 300 columns have 3.2
million of them."""

ITEMS_BY_BYTE = 0.5
"""More of them for each byte of the file: the record of a long run has at least 25 by step."""

TEXT_LEAST = 64 << 20
"""Bytes to which the packed JSON of even the smallest file may unpack, all of it together."""

DEEPEST = 40
"""Levels of nesting. What we write has 12."""

DIGITS_MOST = 40
"""Of a whole number: seeds have up to 128 bits."""


class Invalid(Exception):
    """Something is no record or no trace. The text is one line for the user, without the file."""


class NotJSON(Invalid):
    """A text is not JSON, as a line that was cut is not."""


class Room:
    """How much may still be read of one file.

    Args:
        size: of the file, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.values = VALUES_MOST
        self.items = ITEMS_LEAST + int(size * ITEMS_BY_BYTE)
        self.text = TEXT_LEAST + 8 * size

    def take(self, items: int = 0, values: int = 0) -> None:
        """Note what will be made, before it is.

        Args:
            items: numbers of columns.
            values: of JSON.

        Raises:
            Invalid: that is more than such a file can have in it by right.
        """
        self.items -= items
        self.values -= values
        if self.items < 0 or self.values < 0:
            raise Invalid("it unpacks to more values than the record of a run has")

    def inflated(self, packed: str, size: int | None = None) -> bytes:
        """What is packed in a text: deflated, then base64.

        Args:
            packed: the text.
            size: how many bytes it must give; None for JSON, of any size for which there is room.

        Raises:
            Invalid: it is not packed like this, or gives something else.
        """
        most = self.text if size is None else size
        unpacking = zlib.decompressobj()
        try:
            content = unpacking.decompress(b64decode(packed, validate=True), most + 1)
        except (ValueError, zlib.error):
            raise Invalid("what is packed in it is damaged") from None
        if len(content) > most:
            raise Invalid("it unpacks to more than a record has")
        if not unpacking.eof or unpacking.unused_data or size not in (None, len(content)):
            raise Invalid("what is packed in it is damaged: its size is another one")
        if size is None:
            self.text -= len(content)
        return content


def parsed(raw: bytes, room: Room) -> Any:
    """What a JSON text says.

    Args:
        raw: in UTF-8.
        room: for its values.

    Raises:
        Invalid: it is no JSON, or JSON that says no one thing: a name that is there twice, a
            number that is none. Or it is too large, or too deep.
    """
    # Each value but the first follows one of these; in a text they may be as well, so that this
    # may be too many, but is never too few.
    brackets = raw.count(b"[") + raw.count(b"{")
    room.take(values=brackets + raw.count(b","))
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except RecursionError:
        raise Invalid("its JSON is nested too deeply") from None
    except ValueError:  # of Unicode and of JSON
        raise NotJSON("it is not JSON") from None
    if brackets > DEEPEST and not _is_shallow(value):
        raise Invalid("its JSON is nested too deeply")
    return value


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        holders = [item for item in level if isinstance(item, (dict, list))]
        if not holders:
            return True
        level = [
            item
            for holder in holders
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
    return False


def _number(text: str) -> int:
    if len(text) > DIGITS_MOST:
        raise Invalid(f"it has a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise Invalid(f"it has the number {text[:20]}, which no double can hold")
    return value


def _constant(text: str) -> None:
    raise Invalid(f"it has {text} in it, which is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(
            name for name, times in Counter(name for name, _ in pairs).items() if times > 1
        )
        raise Invalid(f"it has {twice[:40]!a} twice in one object")
    return content


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_finite, parse_constant=_constant
)


def read(path: Path) -> tuple[bytes, Room]:
    """A file, and the room that there is for what is in it.

    Raises:
        Invalid: it is too large.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(FILE_MOST + 1)
    if len(raw) > FILE_MOST:
        raise Invalid(f"it has more than {FILE_MOST >> 20} MiB")
    return raw, Room(len(raw))


def record(content: dict[str, Any]) -> None:
    """Check a record but for what is packed in it.

    Args:
        content: what its JSON says.

    Raises:
        Invalid: it is not as the schema wants it, or what it says twice does not agree.
    """
    _by_schema(schemas.check("record-1"), content)
    processes, trace = content["processes"], content["trace"]
    if len(processes) != len(trace["processes"]):
        raise Invalid(
            f"it lists {len(processes)} processes and has the events of {len(trace['processes'])}"
        )
    for number, (header, packed) in enumerate(zip(processes, trace["processes"])):
        steps = sum(block["steps"] for block in packed["blocks"])
        if header["steps"] != steps:
            raise Invalid(
                f"process {number} has {header['steps']} steps by its list, {steps} by its trace"
            )
    steps = sum(header["steps"] for header in processes)
    if trace["steps"] != steps:
        raise Invalid(f"its trace says {trace['steps']} steps and has {steps}")
    for where, rows in (
        ("seeds.processes", content["seeds"]["processes"]),
        ("flags.changes", (content["flags"] or {}).get("changes", ())),
        ("distributed.ranks", (content["distributed"] or {}).get("ranks", ())),
    ):
        for row in rows:
            if row["process"] >= len(processes):
                raise Invalid(f"{where} has process {row['process']}, which it does not list")


def event(value: Any) -> dict[str, Any]:
    """Check an event of a trace, or of those that a record keeps as they were.

    Returns:
        The event.

    Raises:
        Invalid: it is not an event, or an event of this kind must have what this one lacks.
    """
    _by_schema(schemas.check("trace-1"), value)
    kind = value["event"]
    if kind in _kinds():
        _by_schema(schemas.check("trace-1", kind), value, f"an event of kind {kind}: ")
    if kind == "step":
        losses(value["loss"])
    checked: dict[str, Any] = value
    return checked


def _kinds() -> frozenset[str]:
    return schemas.parts("trace-1") - _NO_KINDS


_NO_KINDS = frozenset({"run", "whole", "texts", "names", "path", "values", "vector", "losses"})


def losses(pairs: Any) -> None:
    """Check the losses of a step: what a reader sees and what is compared must be the same number.

    Raises:
        Invalid: it is no list of values and their bits, or the two do not agree.
    """
    _by_schema(schemas.check("trace-1", "losses"), pairs, "a loss: ")
    for value, bits in pairs:
        if value is not None and shown(bits) != value:
            raise Invalid(f"a loss says {_short(value)}, and its bits {bits} are another number")


def shown(bits: str) -> float | str:
    """The number of some bits, as a text where JSON has no such number.

    Args:
        bits: 16 hexadecimal digits.
    """
    number: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return number if number - number == 0 else str(number)


def run(value: Any) -> dict[str, Any]:
    """Check what a trace directory says of its run.

    Raises:
        Invalid: it is not that.
    """
    _by_schema(schemas.check("trace-1", "run"), value)
    checked: dict[str, Any] = value
    return checked


def _by_schema(check: Callable[[Any], None], value: Any, what: str = "") -> None:
    try:
        check(value)
    except schemas.Wrong as wrong:
        raise Invalid(f"{what}{wrong}") from None


def _short(value: Any) -> str:
    return ascii(value)[:40]
