# SPDX-License-Identifier: Apache-2.0
"""Pictures of a report as inline SVG: curves laid over each other, and strips of steps.

A picture is as wide as the page. Lines are in a coordinate system that is stretched with it;
text, and the width of lines, are not: on a phone they are as large as on a desk. Colours are the
style sheet's (page.py), so that they follow a dark screen and paper. No picture depends on
colour: lines differ by their dashes too, and steps by their height.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seed_init.proof.comparing.values import counted
from seed_init.proof.reporting.model import Chart, Curve, Mark, Strip
from seed_init.proof.reporting.text import escaped

SIDE = 1000
"""Of the square in which curves are drawn before it is stretched."""

MOST_BINS = 150
"""Of a strip: on a phone, each is 2 pixels wide."""

STYLES = 8
"""How many lines the style sheet tells apart."""

_LOGARITHMIC_FROM = 1000.0  # largest by smallest value; below, a linear axis shows all of them


class Axis(NamedTuple):
    """One axis of a chart: it maps a value to a position between 0 and 1.

    Attributes:
        low: the value at 0.
        high: the value at 1.
        logarithmic: equal steps are equal factors.
        ticks: the values that are labelled.
    """

    low: float
    high: float
    logarithmic: bool
    ticks: tuple[float, ...]

    def scale(self, value: float) -> float:
        """Return the position of a value on this axis: 0 for `low`, 1 for `high`."""
        if self.logarithmic:
            value, low, high = math.log10(value), math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        # Halves: the difference of two numbers may be infinite where both are finite.
        return (value / 2 - low / 2) / (high / 2 - low / 2)


def step_axis(first: int, last: int) -> Axis:
    """The scale of steps: whole numbers."""
    if first == last:
        return Axis(first - 0.5, last + 0.5, False, (first,))
    ticks = [tick for tick in _round_ticks(first, last, 6) if tick == int(tick)]
    return Axis(first, last, False, tuple(ticks))


def value_axis(values: Sequence[float], logarithmic: bool | None = None) -> Axis:
    """The scale of values.

    Args:
        values: finite ones, at least one; above 0 where `logarithmic`.
        logarithmic: None: where all are above 0 and the largest is far above the smallest.
    """
    low, high = min(values), max(values)
    if logarithmic is None:
        logarithmic = low > 0 and high / _LOGARITHMIC_FROM > low
    if logarithmic:
        return _logarithmic_axis(low, high)
    if low == high:
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    else:
        room = high / 20 - low / 20
        low, high = low - room, high + room
    if math.isinf(low) or math.isinf(high):
        low, high = max(low, -1.7e308), min(high, 1.7e308)
    return Axis(low, high, False, tuple(_round_ticks(low, high, 5)))


def _logarithmic_axis(low: float, high: float) -> Axis:
    # Whole powers of ten at both ends, as far as numbers reach.
    # The smallest number above 0 is 4.9e-324.
    first = max(math.floor(math.log10(low)), -323)
    last = min(math.ceil(math.log10(high)), 308)
    if first == last:
        first, last = max(first - 1, -323), last + 1
    stride = math.ceil((last - first) / 5)
    # From text: 10.0**-323 and its like may be rounded to zero on the way.
    ticks = tuple(float(f"1e{power}") for power in range(first, last + 1, stride))
    return Axis(min(float(f"1e{first}"), low), max(float(f"1e{last}"), high), True, ticks)


def _round_ticks(low: float, high: float, most: int) -> Iterator[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two values, `most` at most."""
    rough = (high / most) - (low / most)
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-300 else rough
    unit = next((power * factor for factor in (1, 2, 5) if power * factor >= rough), power * 10)
    for count in range(math.ceil(low / unit), math.floor(high / unit) + 1):
        yield count * unit


def shown(value: float) -> str:
    """A number as an axis has it: short, and exact for round ones."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def thinned(curve: Curve, axis: Axis, columns: int) -> list[tuple[int, float]]:
    """At most four points a column: the first, the least, the largest and the last of each.

    A line through them covers what the line through all points covers.

    Args:
        curve: its points in order.
        axis: of the steps.
        columns: how many the width is divided into.
    """
    if len(curve.points) <= 4 * columns:
        return list(curve.points)
    groups: dict[int, list[int]] = {}
    for index, (step, _) in enumerate(curve.points):
        groups.setdefault(min(int(axis.scale(step) * columns), columns - 1), []).append(index)
    kept: list[int] = []
    for group in groups.values():
        finite = [index for index in group if math.isfinite(curve.points[index][1])]
        extremes: list[int] = []
        if finite:
            by_value = sorted((finite[0], finite[-1], *finite), key=lambda i: curve.points[i][1])
            extremes = [by_value[0], by_value[-1]]
        # One that is not finite stays too: it breaks the line.
        broken = next((i for i in group if not math.isfinite(curve.points[i][1])), group[0])
        kept += sorted({group[0], group[-1], broken, *extremes})
    return [curve.points[index] for index in kept]


def line_chart(chart: Chart, runs: Sequence[str], columns: int) -> str:
    """Curves over steps, with axes and a legend; a note where there is nothing to draw.

    Args:
        chart: the curves; those whose values are all missing are named, not drawn.
        runs: the names of the runs, by number.
        columns: how finely long curves are drawn.
    """
    steps = [step for curve in chart.curves for step, _ in curve.points]
    values = [
        value
        for curve in chart.curves
        for _, value in curve.points
        if math.isfinite(value) and (value > 0 or not chart.logarithmic)
    ]
    if not steps:
        return f"<p>{escaped(chart.title)}: no values were recorded.</p>"
    across = step_axis(min(steps), max(steps))
    # Nothing but nan and inf: an axis without numbers, so that the marks have a place.
    up = value_axis(values, chart.logarithmic) if values else Axis(0.0, 1.0, False, ())
    lines = "".join(_curve(curve, across, up, columns) for curve in chart.curves)
    legend = "".join(
        f'<li><svg class="key" aria-hidden="true" viewBox="0 0 34 10">'
        f'<line class="line {_style(curve.run)}" x1="1" x2="33" y1="5" y2="5"/></svg>'
        f"<span>{escaped(runs[curve.run])}{_not_finite(curve)}</span></li>"
        for curve in chart.curves
    )
    scale = ", logarithmic" if up.logarithmic else ""
    return (
        f'<figure class="chart"><figcaption>{escaped(chart.title)}'
        f' <span class="faint">({escaped(chart.unit)}{scale})</span></figcaption>'
        f'<ul class="legend">{legend}</ul>'
        f'<div class="plot"><svg role="img" aria-label="{escaped(_described(chart, runs))}"'
        f' width="100%" height="100%">{_grid(across, up)}'
        f'<svg role="none" class="curves" width="100%" height="100%" viewBox="0 0 {SIDE} {SIDE}"'
        f' preserveAspectRatio="none">{lines}</svg>{_mark(chart.mark, across)}</svg></div>'
        f"</figure>"
    )


def _style(run: int) -> str:
    return f"s{run % STYLES}"


def _curve(curve: Curve, across: Axis, up: Axis, columns: int) -> str:
    """Draw lines through the finite values, and marks at the upper edge for all other values."""
    pieces: list[str] = []
    points: list[str] = []
    last = ""
    edges: list[tuple[int, int]] = []
    broken = False

    def end() -> None:
        if points:
            dot = " dot" if len(points) == 1 else ""
            pieces.append(
                f'<polyline class="line {_style(curve.run)}{dot}"'
                f' points="{" ".join(points if not dot else points * 2)}"/>'
            )
            points.clear()

    for step, value in thinned(curve, across, columns):
        x = round(across.scale(step) * SIDE)
        if math.isfinite(value) and (value > 0 or not up.logarithmic):
            point = f"{x},{SIDE - round(up.scale(value) * SIDE)}"
            if point != last or not points:
                points.append(point)
            last, broken = point, False
            continue
        end()
        if not math.isfinite(value):
            edges.append((edges.pop()[0] if broken else x, x))
        broken = not math.isfinite(value)
    end()
    for first, final in edges:
        pieces.append(
            f'<line class="edge {_style(curve.run)}"'
            f' x1="{first - 2}" x2="{final + 2}" y1="0" y2="0"/>'
        )
    return "".join(pieces)


def _grid(across: Axis, up: Axis) -> str:
    parts = ['<g class="grid">']
    for tick in up.ticks:
        y = f"{100 - up.scale(tick) * 100:.2f}%"
        parts.append(
            f'<line x1="0" x2="100%" y1="{y}" y2="{y}"/>'
            f'<text x="-8" y="{y}" dy="0.32em" text-anchor="end">{shown(tick)}</text>'
        )
    for tick in across.ticks:
        x = f"{across.scale(tick) * 100:.2f}%"
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="100%" y2="0"/>'
            f'<text x="{x}" y="100%" dy="1.4em" text-anchor="middle">{shown(tick)}</text>'
        )
    parts.append(
        '<line class="axis" x1="0" x2="100%" y1="100%" y2="100%"/>'
        '<line class="axis" x1="0" x2="0" y1="0" y2="100%"/>'
        '<text x="50%" y="100%" dy="2.7em" text-anchor="middle">step</text></g>'
    )
    return "".join(parts)


def _mark(mark: Mark | None, across: Axis) -> str:
    if mark is None or not across.low <= mark.step <= across.high:
        return ""
    position = across.scale(mark.step)
    x = f"{position * 100:.2f}%"
    anchor, aside = ("start", 5) if position < 0.5 else ("end", -5)
    return (
        f'<g class="mark"><line x1="{x}" x2="{x}" y1="0" y2="100%"/>'
        f'<text x="{x}" y="0" dx="{aside}" dy="1.3em" text-anchor="{anchor}">'
        f"{escaped(mark.text)}</text></g>"
    )


def _not_finite(curve: Curve) -> str:
    """Say how often, and from which step on, a loss was not finite."""
    points = [(step, value) for step, value in curve.points if not math.isfinite(value)]
    if not points:
        return ""
    step, value = points[0]
    return f": {len(points):,} not finite, {value} first at step {step:,}"


def _described(chart: Chart, runs: Sequence[str]) -> str:
    """The picture in words."""
    parts = [f"{chart.title} over steps."]
    for curve in chart.curves:
        finite = [(step, value) for step, value in curve.points if math.isfinite(value)]
        line = f"{runs[curve.run]}: {counted(len(curve.points), 'step')}"
        if finite:
            line += (
                f", {finite[0][1]:.6g} at step {finite[0][0]:,}"
                f" to {finite[-1][1]:.6g} at step {finite[-1][0]:,}"
            )
        parts.append(f"{line}{_not_finite(curve)}.")
    if chart.mark:
        parts.append(f"Marked: {chart.mark.text}.")
    return " ".join(parts)


class Bin(NamedTuple):
    """Neighbouring steps of a strip that are drawn as one.

    Attributes:
        first: index of its first step in the strip.
        last: index of its last one.
        state: of the worst of them: "same", "unknown", "absent" or "differs".
    """

    first: int
    last: int
    state: str


_WORST = ("same", "unknown", "absent", "differs")


def bins(states: Sequence[str], most: int = MOST_BINS) -> list[Bin]:
    """Steps gathered in bins of nearly equal length, equal neighbours joined.

    Args:
        states: of each step.
        most: the number of bins before any are joined.
    """
    count = min(len(states), most)
    joined: list[Bin] = []
    for number in range(count):
        first = number * len(states) // count
        end = (number + 1) * len(states) // count
        state = max(states[first:end], key=_WORST.index)
        if joined and joined[-1].state == state:
            joined[-1] = joined[-1]._replace(last=end - 1)
        else:
            joined.append(Bin(first, end - 1, state))
    return joined


_IN_WORDS = {
    "same": "equal",
    "unknown": "not compared",
    "absent": "in one run only",
    "differs": "different",
}
_TOP = {"same": 5, "unknown": 8, "absent": 0, "differs": 0}
"""Of 12: what differs stands out by its height, where colours cannot be told apart."""


def strip_chart(strip: Strip, most: int = MOST_BINS) -> str:
    """The steps of one rank from left to right, the first different one labelled.

    Args:
        strip: at least one step.
        most: the number of bins in which more steps are gathered.
    """
    states = [step.state for step in strip.steps]
    rectangles = []
    for first, last, state in bins(states, most):
        numbers = _range(strip.steps[first].number, strip.steps[last].number)
        alike = len(set(states[first : last + 1])) == 1
        words = _IN_WORDS[state] if alike else f"some {_IN_WORDS[state]}"
        rectangles.append(
            f'<rect class="{state}" data-first="{strip.steps[first].number}"'
            f' data-last="{strip.steps[last].number}" x="{first}" y="{_TOP[state]}"'
            f' width="{last - first + 1}" height="{12 - _TOP[state]}">'
            f"<title>{numbers}: {words}</title></rect>"
        )
    return (
        f'<div class="strip"><svg role="img" aria-label="{escaped(strip.label)}: '
        f'{escaped(in_words(strip))}" width="100%" height="{_height(strip)}">'
        f'<svg role="none" width="100%" height="24" viewBox="0 0 {len(states)} 12"'
        f' preserveAspectRatio="none">{"".join(rectangles)}</svg>{_first(strip)}</svg></div>'
    )


def _height(strip: Strip) -> int:
    return 24 if strip.first is None else 44


def _first(strip: Strip) -> str:
    """Draw a pointer to the first step that is not equal."""
    if strip.first is None:
        return ""
    position = (strip.first + 0.5) / len(strip.steps)
    x = f"{position * 100:.2f}%"
    anchor, aside = ("start", 8) if position < 0.5 else ("end", -8)
    number = strip.steps[strip.first].number
    return (
        f'<svg role="none" x="{x}" y="26" class="pointer"><path d="M0 0L5 8L-5 8Z"/></svg>'
        f'<text x="{x}" y="38" dx="{aside}" text-anchor="{anchor}">step {number:,}</text>'
    )


def _range(first: int, last: int) -> str:
    return f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"


def in_words(strip: Strip) -> str:
    """A strip as text: how many steps are equal, and the first that is not."""
    states = [step.state for step in strip.steps]
    parts = [
        f"{states.count(state):,} {_IN_WORDS[state]}" for state in _WORST if states.count(state)
    ]
    all_equal = states.count("same") == len(states)
    summary = ", all equal" if all_equal else f": {', '.join(parts)}"
    counts = f"{counted(len(states), 'step')}{summary}"
    if strip.first is None:
        return counts
    first = strip.steps[strip.first]
    return f"{counts}; first at step {first.number:,}{f' ({first.what})' if first.what else ''}"
