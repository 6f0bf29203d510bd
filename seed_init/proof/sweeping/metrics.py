# SPDX-License-Identifier: Apache-2.0
"""Read a number from what a run has left: from its standard output, or from a JSON file."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.system.terminal import shown
from seed_init.system.writing import NAME_MOST

HIGHER, LOWER = "higher", "lower"

_POINTER = re.compile(r"(?P<file>[^:]+\.(?:json|jsonl|ndjson)):(?P<pointer>/.*)", re.DOTALL)
_NUMBER = re.compile(
    r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\b(?:nan|inf(?:inity)?)\b)", re.IGNORECASE
)

_NO_POINTER = re.compile(r"[^:*?+()\[\]\\|^$]+\.(?:json|jsonl|ndjson):(?P<pointer>[\w.-]+)")
"""FILE:POINTER without the slash, and without a sign that only a regular expression has."""

_BEGUN = re.compile(r"(?:(?:^|[^\w.)\]])[-−]|\d|\d[.,_]|\d[eE][-+−]?)\Z")
"""What stands before a number that is the rest of a longer one: a sign, or digits."""

_GOES_ON = re.compile(r"\d|\.\d|[eE][-+−]?\d|,\d{3}(?!\d)|_\d")
"""What stands behind a number that is the beginning of a longer one."""

_AROUND = re.compile(r"[\w.,+−-]*")

_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf(?:inity)?)\b", re.IGNORECASE)

OF_LINES = (".jsonl", ".ndjson")
"""The ends of the names of files with a JSON text in each line."""

LAST_LINES = 3
"""How many of the last lines of a file a message shows."""

WIDTH = 120
"""How many characters of a line a message shows."""

FILE_MOST = 64 << 20
"""Bytes of a JSON file that a metric is read from."""


class BadMetric(ValueError):
    """A text names no metric. The message is one line for the user."""


@dataclass(frozen=True)
class Metric:
    """A number that is read from each run.

    Attributes:
        name: what a reader calls the metric.
        source: a regular expression, whose last match in the standard output counts, or
            FILE:POINTER, a JSON file and a pointer into it (RFC 6901).
        better: `HIGHER` or `LOWER`; None where nobody has said.
    """

    name: str
    source: str
    better: str | None = None

    @property
    def file(self) -> str | None:
        """The file as the user named it, perhaps with `{seed}` or `{dir}`; None for the output."""
        match = _POINTER.fullmatch(self.source)
        return match["file"] if match else None

    @property
    def pointer(self) -> str:
        """The JSON pointer; empty for a regular expression."""
        match = _POINTER.fullmatch(self.source)
        return match["pointer"] if match else ""


@dataclass(frozen=True)
class Value:
    """What a run has given for a metric.

    Attributes:
        number: a finite number; None where there is none.
        problem: why there is none, in one line; None where there is a number.
        tail: the last lines of the file in which the metric was looked for.
        not_finite: "NaN", "infinity" or "-infinity", where the run gave that; None otherwise.
    """

    number: float | None
    problem: str | None = None
    tail: tuple[str, ...] = ()
    not_finite: str | None = None


def parse(text: str) -> Metric:
    """Return the metric that a text names.

    Args:
        text: a regular expression with one group at most, or FILE:POINTER.

    Raises:
        BadMetric: the text is empty, no regular expression, or has several groups.
    """
    match = _POINTER.fullmatch(text)
    if match:
        last = match["pointer"].rpartition("/")[2]
        return Metric(_unescaped(last) or match["file"], text)
    no_pointer = _NO_POINTER.fullmatch(text)
    if no_pointer is not None:
        at = no_pointer.start("pointer")
        raise BadMetric(
            f"{text!r} has no slash behind the colon; for a value of a JSON file give "
            f"{f'{text[:at]}/{text[at:]}'!r}"
        )
    if not text:
        raise BadMetric("'' is no metric; give a regular expression, or FILE.json:/POINTER")
    try:
        groups = re.compile(text).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise BadMetric(
            f"{text!r} is no regular expression ({error}); give one in the syntax of Python's re, "
            "or FILE.json:/POINTER"
        ) from None
    if groups > 1:
        raise BadMetric(
            f"{text!r} has {groups} groups and may match several numbers; put one group around the "
            "number, and write (?:...) for the others"
        )
    return Metric(_name(text), text)


def _name(expression: str) -> str:
    """Return the plain text before the number: `test accuracy` for `test accuracy: ([0-9.]+)`."""
    before = re.split(r"(?<!\\)\(", expression)[0]
    plain = re.sub(r"\\[a-zA-Z]|\[[^\]]*\]|[\\^$.*+?{}|]", " ", before)
    return " ".join(plain.split()).strip(" :=-,;") or expression


def distinct(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return metrics of which no two have one name: where they would, the source is the name.

    Raises:
        BadMetric: a metric is there twice.
    """
    names = [metric.name for metric in metrics]
    sources = [metric.source for metric in metrics]
    for source in sources:
        if sources.count(source) > 1:
            raise BadMetric(f"the metric {source!r} is there twice; give it once")
    return tuple(
        replace(metric, name=metric.source) if names.count(metric.name) > 1 else metric
        for metric in metrics
    )


def kept_name(file: str) -> str:
    """Return the name of the copy of a file that a metric is read from.

    Args:
        file: the file, as the metric names it.
    """
    name = quote(file, safe="{} ")
    return name if len(name) <= NAME_MOST else sha256(file.encode()).hexdigest()


def read(metric: Metric, stdout: Path, stderr: Path, file: Path | None) -> Value:
    """Read a metric of one run.

    Args:
        metric: the metric.
        stdout: the run's standard output.
        stderr: the run's standard error. If only this file has a match, the message says so.
        file: the JSON file, or the copy of that file; None where it was not kept.
    """
    try:
        if metric.file is None:
            return _of_output(metric, stdout, stderr)
        if file is None:
            return Value(None, f"{metric.file} was not kept by this run; run it again with --fresh")
        return _of_file(metric, file)
    except OSError as error:
        return Value(None, f"{error.filename} cannot be read: {error.strerror}")


def _of_output(metric: Metric, stdout: Path, stderr: Path) -> Value:
    expression = re.compile(metric.source)
    wider = _widened(metric.source)
    found, not_finite = None, None
    with stdout.open("rb") as content:
        for line in content:
            text = line.decode(errors="replace")
            end = 0
            for found_here in expression.finditer(text):
                found, not_finite, end = found_here, None, found_here.end()
            not_finite = _not_finite(wider, text, end) or not_finite
    if not_finite is not None:
        return finite(not_finite)
    if found is None:
        hint = _hint(expression, stderr)
        return Value(None, f"no match of {metric.source!r} in {stdout}{hint}", tail(stdout))
    return _number(found, f"{metric.source!r} in {stdout}")


def _widened(source: str) -> "re.Pattern[str] | None":
    """Return an expression with any word in place of its group; None if it has no group.

    `([0-9.]+)` does not match NaN, and then the number of an earlier line would be the last match.
    """
    group = re.search(r"(?<!\\)(?:\\\\)*(\((?!\?)|\(\?P<)", source)
    if group is None:
        return None
    before = source[: group.start(1)]
    try:
        return re.compile(f"{before}(\\S+)")
    except re.error:  # the group stands within another one
        return None


def _not_finite(wider: "re.Pattern[str] | None", line: str, start: int) -> float | None:
    """Return NaN or infinity, if the last match in the rest of a line is one of these."""
    last = None
    for found in wider.finditer(line, start) if wider is not None else ():
        last = _NOT_FINITE.match(found[1])
    return None if last is None else float(last[0])


def _hint(expression: "re.Pattern[str]", stderr: Path) -> str:
    try:
        with stderr.open("rb") as content:
            is_there = any(expression.search(line.decode(errors="replace")) for line in content)
    except OSError:
        is_there = False
    return "; the standard error has one: print it to the standard output" if is_there else ""


def _number(match: "re.Match[str]", where: str) -> Value:
    """Return the number of a match. Half a number is none: 1.5 of 1.5e-05 would be a wrong one."""
    group = match.re.groups
    text = match[group] or ""
    found = list(_NUMBER.finditer(text))
    if len(found) != 1:
        what = f"{len(found)} numbers" if found else "no number"
        return Value(
            None,
            f"{where} matches {_short(text)}, which has {what}; put a group around the number",
        )
    start, end = (match.start(group) + at for at in found[0].span())
    if _BEGUN.search(match.string[:start]) or _GOES_ON.match(match.string, end):
        whole = _whole(match.string, start)
        return Value(
            None,
            f"{where} matches {_short(found[0][0])}, which is a part of {_short(whole)}; write "
            "(\\S+) as the group, and print numbers without separators of thousands",
        )
    return finite(float(found[0][0]))


def _whole(line: str, at: int) -> str:
    """Return the word of a line that has a place of the line in it."""
    words = (word for word in _AROUND.finditer(line) if word.start() <= at < word.end())
    return next(words)[0].strip(".,")


def finite(number: float) -> Value:
    """Return the value of a number; NaN and infinity are named, and are no value."""
    if math.isfinite(number):
        return Value(number)
    name = "NaN" if math.isnan(number) else f"{'-' if number < 0 else ''}infinity"
    return Value(None, f"{name}, which is counted and not averaged", not_finite=name)


def _of_file(metric: Metric, file: Path) -> Value:
    with file.open("rb") as content:
        raw = content.read(FILE_MOST + 1)
    if len(raw) > FILE_MOST:
        return Value(None, f"{file} has more than {FILE_MOST >> 20} MiB")
    problem = f"{file} is empty"
    for text in _documents(metric.file or "", raw):
        try:
            found = _at(json.loads(text), metric.pointer)
        except (ValueError, RecursionError):
            problem = f"{file} is not JSON"
            continue
        except LookupError:
            problem = f"{file} has nothing at {metric.pointer}"
            continue
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            kinds: dict[type, str] = {dict: "an object", list: "an array", str: "a text"}
            kind = kinds.get(type(found))
            what = f"{kind or json.dumps(found)} at {metric.pointer}, not a number"
            return Value(None, f"{file} has {what}", tail(file))
        try:
            return finite(float(found))
        except OverflowError:
            return finite(math.inf)
    return Value(None, problem, tail(file))


def _documents(name: str, raw: bytes) -> Iterator[bytes]:
    """Yield the JSON texts of a file: of a file of lines, the last line first."""
    if name.endswith(OF_LINES):
        yield from (line for line in reversed(raw.splitlines()) if line.strip())
    elif raw.strip():
        yield raw


def _at(value: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        if isinstance(value, list):
            if not (token.isascii() and token.isdecimal()):
                raise LookupError(token)
            value = value[int(token)]
        elif isinstance(value, dict):
            value = value[_unescaped(token)]
        else:
            raise LookupError(token)
    return value


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def tail(file: Path, most: int = LAST_LINES) -> tuple[str, ...]:
    """Return the last lines of a file that are not empty, as they can be shown.

    Args:
        file: the file.
        most: how many lines at most.
    """
    try:
        with file.open("rb") as content:
            content.seek(max(0, content.seek(0, 2) - (1 << 16)))
            lines = [line for line in content.read().splitlines() if line.strip()]
    except OSError:
        return ()
    return tuple(without_secrets(shown(line, WIDTH)) for line in lines[-most:])


def _short(text: str) -> str:
    return repr(text if len(text) <= WIDTH else f"{text[:WIDTH]}...")
