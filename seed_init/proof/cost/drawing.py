# SPDX-License-Identifier: Apache-2.0
"""This module draws a judgement as SVG: each choice, with its spread, against `off`.

Written here and not by a plotting library: the command runs where there is none. Colours follow a
dark page; what was not identical has another shape, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from seed_init.proof.cost.judging import Judgement, Row, percent
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.system.terminal import one_line

ROW = 26
"""Height of a line, in pixels."""

LEFT, WIDTH, RIGHT = 370, 380, 210
"""Pixels for the names, the figures' axis, and the words behind it."""

TOP, BOTTOM = 62, 44

LEAST_SPAN = 0.04
"""Of the axis, so that noise does not look like a cost."""

STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:12px;fill:#59636e}
.title{font-weight:600;font-size:14px}.grid{stroke:#d1d9e0}.one{stroke:#59636e;stroke-dasharray:4 3}
.same{fill:#1a7f37;stroke:#1a7f37}.differs{fill:none;stroke:#cf222e;stroke-width:2}
.unseen{fill:#59636e;stroke:#59636e}.spread{stroke:#8c959f;stroke-width:3;stroke-linecap:round}
.back{fill:#fff}
@media(prefers-color-scheme:dark){.back{fill:#0d1117}text{fill:#e6edf3}.small{fill:#9198a1}
.grid{stroke:#3d444d}.same{fill:#3fb950;stroke:#3fb950}.differs{stroke:#f85149}}
"""


@dataclass(frozen=True)
class Line:
    """What a line of the picture shows.

    Attributes:
        name: before the axis.
        ratio: to `off`; None where that is not known.
        ratios: the smallest and the largest; None where that is not known.
        identical: whether the bits were; None where that is not known.
        words: behind the axis.
    """

    name: str
    ratio: float | None
    ratios: tuple[float, float] | None
    identical: bool | None
    words: str


NOTE = "time a step, as a multiple of that under off; line: smallest to largest of the rounds"


def picture(result: Judgement) -> str:
    """Draw a judgement.

    Args:
        result: with a row of `off`.

    Returns:
        An SVG document.
    """
    lines = [
        Line(row.choice.name, row.ratio, row.ratios, row.identical, _words(row))
        for row in result.rows
    ]
    return chart(_title(result), _subtitle(result), NOTE, lines)


def chart(title: str, subtitle: str, note: str, lines: Sequence[Line]) -> str:
    """Draw a line for each of some ratios.

    Args:
        title: above.
        subtitle: below the title.
        note: below the axis: what a ratio is of, and what its spread is.
        lines: from above to below.

    Returns:
        An SVG document.
    """
    low, high = _span(lines)

    def across(ratio: float) -> float:
        return LEFT + WIDTH * (ratio - low) / (high - low)

    bottom = TOP + ROW * len(lines)
    width, height = LEFT + WIDTH + RIGHT, bottom + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{_text(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}"/>',
        f'<text class="title" x="16" y="24">{_text(title)}</text>',
        f'<text class="small" x="16" y="44">{_text(subtitle)}</text>',
    ]
    for tick in _ticks(low, high):
        x = across(tick)
        kind = "one" if abs(tick - 1) < 1e-9 else "grid"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        attributes = f'x="{x:.1f}" y="{bottom + 18}" text-anchor="middle"'
        parts.append(f'<text class="small" {attributes}>{tick:.2f}</text>')
    for number, line in enumerate(lines):
        y = TOP + ROW * number + ROW / 2
        parts.append(
            f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{_text(line.name)}</text>'
        )
        parts += _mark(line, y, across)
        parts.append(
            f'<text class="small" x="{LEFT + WIDTH + 14}" y="{y + 4}">{_text(line.words)}</text>'
        )
    parts.append(f'<text class="small" x="{LEFT}" y="{bottom + 36}">{_text(note)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _text(value: str) -> str:
    """Return text as XML, which has no control characters."""
    return escape(one_line(value), quote=True)


def _title(result: Judgement) -> str:
    command = " ".join(words_without_secrets(result.measurements.request.command))
    return f"What determinism costs: {command if len(command) < 80 else command[:77] + '...'}"


def _subtitle(result: Judgement) -> str:
    machine = result.measurements.machine
    where = ", ".join(dict.fromkeys(machine.get("gpus", []))) or "CPU"
    cuda = f", CUDA {machine['cuda']}" if machine.get("gpus") else ""
    noise = percent(result.noise) if result.noise is not None else "unknown"
    return f"{where}, torch {machine.get('torch')}{cuda}; noise of the measurement: {noise}"


def _span(lines: Sequence[Line]) -> tuple[float, float]:
    values = [value for line in lines for value in (line.ratios or ())] or [1.0]
    low, high = min(1.0, *values), max(1.0, *values)
    room = max(LEAST_SPAN - (high - low), 0.1 * (high - low)) / 2
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Return multiples of a round step between two values, with 1 among them."""
    step = next(
        (step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if high - low < 8 * step),
        100.0,
    )
    first = -int((1 - low) / step)
    last = int((high - 1) / step)
    return [1 + number * step for number in range(first, last + 1)]


def _mark(line: Line, y: float, across: Callable[[float], float]) -> list[str]:
    if line.ratio is None or line.ratios is None:
        return []
    low, high = (across(value) for value in line.ratios)
    x = across(line.ratio)
    parts = [f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>']
    if line.identical is False:
        cross = f"M{x - 5:.1f} {y - 5}l10 10m0 -10l-10 10"
        return [*parts, f'<path class="differs" d="{cross}"/>']
    kind = "same" if line.identical else "unseen"
    return [*parts, f'<circle class="{kind}" cx="{x:.1f}" cy="{y}" r="5"/>']


def _words(row: Row) -> str:
    if row.raised:
        return f"raises: {row.raised}"
    if row.ratio is None:
        return (row.problem or "not measured").partition(":")[0]
    same = {True: "identical", False: "not identical", None: "bits not seen"}[row.identical]
    return f"{row.ratio:.3f}, {same}"
