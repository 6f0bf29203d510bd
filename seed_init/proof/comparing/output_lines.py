# SPDX-License-Identifier: Apache-2.0
"""Two runs' standard output, line by line."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path

from seed_init.proof.trace import units
from seed_init.proof.trace.journal import Process
from seed_init.system.terminal import shown

WIDTH = 200
"""How many characters of a line are shown."""


OF_ENGINES = {"Ray": r"^(\x1b\[\d+m)?\(\S+ pid=\d+[^)]*\)"}
"""Engine -> what begins a line that the engine repeats from a worker: with the process's number.

Ray leaves lines that are alike out, by the time at which they come (ray/_private/ray_logging).
"""


class BadPattern(Exception):
    """A text is not a valid regular expression. The message is one line for the user."""


@dataclass(frozen=True)
class Line:
    """A line that the other run does not have there.

    Attributes:
        number: from 1, in its run's own output.
        text: as it can be shown: control characters escaped, shortened.
    """

    number: int
    text: str


@dataclass(frozen=True)
class Compared:
    """What came of a comparison.

    Attributes:
        lines: how many lines were compared (of the run that has more).
        left_out: how many lines matched a pattern, of both runs together.
        unordered: True where the lines were compared without their order.
        first: None where the outputs are the same; else the first line that is not, of each run;
            None in it where the run has ended before, or has no line too many.
    """

    lines: int
    left_out: int
    unordered: bool
    first: tuple[Line | None, Line | None] | None

    def as_line(self, names: tuple[str, str] = ("run 1", "run 2")) -> str:
        """The result in one line.

        Args:
            names: of the runs.
        """
        order = ", without their order (several processes write into it)" if self.unordered else ""
        if self.first is None:
            return f"standard output: {self.lines} lines the same{order}"
        sides = "; ".join(
            f"{name} has nothing more"
            if line is None
            else f"{name} line {line.number}: {line.text}"
            for name, line in zip(names, self.first)
        )
        return f"standard output differs{order}: {sides}"


def of_engines(processes: Sequence[Process]) -> list[str]:
    """Regular expressions of lines that no two runs have alike, because of how an engine works.

    Args:
        processes: of a run.
    """
    engines = units.count(processes)
    return [pattern for engine, pattern in OF_ENGINES.items() if engine in engines]


def patterns(ignore: Sequence[str]) -> list[re.Pattern[str]]:
    """Compile regular expressions.

    Raises:
        BadPattern: a text is not a valid regular expression.
    """
    compiled = []
    for text in ignore:
        try:
            compiled.append(re.compile(text))
        except (re.error, RecursionError, OverflowError) as error:
            raise BadPattern(
                f"{text!r} is no regular expression ({error}); give one in the syntax of Python's "
                "re, with \\ before a character that is meant as itself"
            ) from None
    return compiled


def compare(
    first: bytes | Path,
    second: bytes | Path,
    ignore: Sequence[str] = (),
    unordered: bool = False,
) -> Compared:
    """Compare two outputs.

    Args:
        first: one output, or the file that has it.
        second: the other output, or the file that has it.
        ignore: regular expressions; a line in which one is found is left out on both sides.
        unordered: compare which lines there are and how often, not in which order: for several
            ranks that write into one pipe.

    Raises:
        BadPattern: an expression is not valid.
    """
    left_out = [0, 0]
    expressions = patterns(ignore)
    sides = [_kept(source, expressions, left_out, i) for i, source in enumerate((first, second))]
    count, difference = _unordered(*sides) if unordered else _ordered(*sides)
    return Compared(count, sum(left_out), unordered, difference)


def digest(source: Path, ignore: Sequence[str] = (), unordered: bool = False) -> tuple[int, str]:
    """How many lines an output has, and a digest of these lines of 16 hexadecimal digits.

    Args:
        source: the file that has the output.
        ignore: as in `compare`.
        unordered: likewise.

    Raises:
        BadPattern: an expression is not valid.
    """
    lines = [line for _, line in _kept(source, patterns(ignore), [0], 0)]
    if unordered:
        lines = sorted(line.removesuffix(b"\n") for line in lines)
    content = blake2b(digest_size=8)
    for line in lines:
        content.update(len(line).to_bytes(8, "big") + line)
    return len(lines), content.hexdigest()


Numbered = tuple[int, bytes]
Found = tuple[Line | None, Line | None] | None


def _kept(
    source: bytes | Path, ignore: list[re.Pattern[str]], left_out: list[int], side: int
) -> Iterator[Numbered]:
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as content:
        for number, line in enumerate(content, 1):
            # The end is no part of what is matched, and stays one of what is compared: an output
            # without it is another one. What cannot be decoded must not become letters that match.
            text = line.removesuffix(b"\n").decode(errors="replace") if ignore else ""
            if any(expression.search(text) for expression in ignore):
                left_out[side] += 1
            else:
                yield number, line


def _ordered(first: Iterator[Numbered], second: Iterator[Numbered]) -> tuple[int, Found]:
    count, difference = 0, None
    for first_line, second_line in zip_longest(first, second):
        count += 1
        if difference is None and (
            first_line is None or second_line is None or first_line[1] != second_line[1]
        ):
            difference = _shown(first_line, second_line)
    return count, difference


def _unordered(first: Iterator[Numbered], second: Iterator[Numbered]) -> tuple[int, Found]:
    first_lines, second_lines = list(first), list(second)
    # A line without its end may be any rank's last one.
    lines = [
        [(number, line.removesuffix(b"\n")) for number, line in side]
        for side in (first_lines, second_lines)
    ]
    surplus = [_surplus(lines[0], lines[1]), _surplus(lines[1], lines[0])]
    difference = None if surplus == [None, None] else _shown(*surplus)
    return max(len(first_lines), len(second_lines)), difference


def _surplus(side: list[Numbered], other_side: list[Numbered]) -> Numbered | None:
    """Return the first line that `side` has more often than `other_side`."""
    there = Counter(line for _, line in other_side)
    for number, line in side:
        if there[line] == 0:
            return number, line
        there[line] -= 1
    return None


def _shown(first: Numbered | None, second: Numbered | None) -> Found:
    texts = [None if side is None else side[1] for side in (first, second)]
    lines = [text.removesuffix(b"\n") for text in texts if text is not None]
    only_end = len(lines) == 2 and lines[0] == lines[1]
    common = 0 if len(lines) < 2 or only_end else _common(*lines)
    # What comes before the difference may fill the line when it is escaped, and bytes that are no
    # text look like a text of their escapes: the first way in which the lines do not look the same.
    before = _at_character(lines, max(0, common - WIDTH // 2))
    ways = [(before, _text), (_at_character(lines, common), _text), (common, _bytes)]
    unlike = (way for way in ways if len({way[1](line[way[0] :]) for line in lines}) == len(lines))
    shift, show = (0, _text) if only_end else next(unlike, ways[-1])
    sides: list[Line | None] = []
    for side in (first, second):
        if side is None:
            sides.append(None)
            continue
        text = show(side[1].removesuffix(b"\n")[shift:])
        if shift:
            text = f"...{text}"
        if only_end:
            end = "with" if side[1].endswith(b"\n") else "without"
            text += f" ({end} the end of the line)"
        sides.append(Line(side[0], text))
    return sides[0], sides[1]


def _at_character(lines: list[bytes], shift: int) -> int:
    """Return where the UTF-8 character begins that is at the position `shift` of all lines."""
    while shift and any(shift < len(line) and line[shift] & 0xC0 == 0x80 for line in lines):
        shift -= 1
    return shift


def _text(line: bytes) -> str:
    return shown(line, WIDTH)


def _bytes(line: bytes) -> str:
    """A line as Python writes bytes, in which no two are alike."""
    return repr(line[: WIDTH // 4])


def _common(first: bytes, second: bytes) -> int:
    """Return how many bytes at their beginning two lines have in common."""
    for position, (here, there) in enumerate(zip(first, second)):
        if here != there:
            return position
    return min(len(first), len(second))
