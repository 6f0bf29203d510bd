# SPDX-License-Identifier: Apache-2.0
"""A sweep as SVG: a strip of runs for each arm, with the interval of the mean; pairs are joined.

Below two arms is the strip of their differences, against 0. The picture is made here and not by a
plotting library: the command runs where there is none. Colours follow a dark page, and nothing
depends on colour.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from seed_init.proof.sweeping import figures, sentence
from seed_init.proof.sweeping.figures import Digits, digits_of
from seed_init.system.terminal import one_line

LEFT, WIDTH, RIGHT = 130, 560, 260
"""Pixels for the names, the axis, and the words behind it."""

TOP, STRIP, AXIS, GAP = 66, 84, 32, 30
"""Pixels above, of a strip, of an axis, and between the panels of two metrics."""

HALF = 22
"""Pixels, of the half of a strip in which runs are."""

BESIDE = 32
"""Pixels from the middle of a strip to the interval, which lies beside the runs."""

_TICKS = 6  # at most, on an axis

_MANY = 150
"""Runs, from which on their marks are smaller and the lines of pairs are fainter."""

STYLE = """
.sweep text{font:13px system-ui,sans-serif;fill:#1f2328}.sweep .small{font-size:12px;fill:#59636e}
.sweep .title{font-weight:600;font-size:14px}.sweep .back{fill:#fff}.sweep .grid{stroke:#d1d9e0}
.sweep .axis{stroke:#59636e}.sweep .run{fill:#0969da;fill-opacity:.65}
.sweep .against{fill:#bc4c00;fill-opacity:.65}.sweep .apart{fill:#59636e;fill-opacity:.65}
.sweep .joined{stroke:#59636e;stroke-opacity:.45}.sweep .many .joined{stroke-opacity:.12}
.sweep .interval{stroke:#1f2328;stroke-width:3;fill:none}
.sweep .mean{fill:#fff;stroke:#1f2328;stroke-width:2}
.sweep .zero{stroke:#1f2328;stroke-dasharray:4 3}
@media screen and (prefers-color-scheme:dark){.sweep text{fill:#e6edf3}.sweep .small{fill:#9198a1}
.sweep .back{fill:#0d1117}.sweep .grid{stroke:#3d444d}.sweep .axis{stroke:#9198a1}
.sweep .run{fill:#4493f8}.sweep .against{fill:#f0883e}.sweep .apart{fill:#9198a1}
.sweep .joined{stroke:#9198a1}.sweep .interval,.sweep .zero{stroke:#e6edf3}
.sweep .mean{fill:#0d1117;stroke:#e6edf3}}
"""


@dataclass(frozen=True)
class Axis:
    """An axis from left to right.

    Attributes:
        low: the value at its left end.
        high: the value at its right end.
    """

    low: float
    high: float

    def across(self, value: float) -> float:
        """Return where a value is, in pixels."""
        # Halves: the difference of two numbers may be infinite where both are finite.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return LEFT + WIDTH * share

    def ticks(self) -> list[float]:
        """Return round values on the axis."""
        rough = (self.high / 2 - self.low / 2) / (_TICKS / 2)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True)
class Strip:
    """The runs of one arm, or the differences of two.

    Attributes:
        name: before the strip.
        kind: class of the style.
        values: seed to value.
        mean: of them.
        interval: of the mean; None where there is none.
        words: lines behind the strip.
        side: where the interval is: -1 above the runs, 1 below.
    """

    name: str
    kind: str
    values: Mapping[int, float]
    mean: float
    interval: Sequence[float] | None
    words: Sequence[str]
    side: int = 1


def picture(sweep: Mapping[str, Any]) -> str:
    """Draw a sweep.

    Args:
        sweep: what `sweep.json` has.

    Returns:
        An SVG document.
    """
    panels: list[str] = []
    bottom = float(TOP)
    for metric in sweep["metrics"]:
        parts, bottom = _panel(sweep, metric, bottom)
        panels += parts
    if not panels:
        panels = [f'<text x="16" y="{TOP + 16}">No run has a metric to draw.</text>']
        bottom += GAP
    width, height = LEFT + WIDTH + RIGHT, round(bottom)
    title = _title(sweep)
    # Scripts and references have no place in a picture that a browser may open by itself.
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="sweep" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{_text(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="back" width="{width}" height="{height}"/>',
            f'<text class="title" x="16" y="24">{_text(title)}</text>',
            f'<text class="small" x="16" y="44">{_text(_subtitle(sweep))}</text>',
            *panels,
            "</svg>\n",
        ]
    )


def _text(value: str) -> str:
    """Return text as XML, which has no control characters."""
    return escape(one_line(value), quote=True)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _title(sweep: Mapping[str, Any]) -> str:
    return _shortened(f"{sweep['name']}: {sentence.command(sweep['command'])}", 110)


def _subtitle(sweep: Mapping[str, Any]) -> str:
    each = "each mark is a run; bar: 95 % interval of the mean"
    if not sweep.get("against"):
        return f"SEED {figures.seeds(sweep['seeds'])}; {each}"
    return _shortened(
        f"against: {sentence.command(sweep['against'])}; SEED {figures.seeds(sweep['seeds'])}; "
        f"{each}; a line joins the runs of one SEED",
        150,
    )


def _panel(
    sweep: Mapping[str, Any], metric: Mapping[str, Any], top: float
) -> tuple[list[str], float]:
    """Return the elements of one metric, and where they end."""
    strips = list(_strips(sweep, metric))
    if not strips:
        return [], top
    axis = _axis(strips)
    many = " many" if any(len(strip.values) > _MANY for strip in strips) else ""
    parts = [f'<g class="panel{many}">', _heading(metric, top)]
    top += 10
    height = STRIP * len(strips)
    parts += _grid(axis, top, height)
    middles = [top + STRIP * (number + 0.5) for number in range(len(strips))]
    swarms = [_swarm(strip, axis) for strip in strips]
    parts += _pairs(strips, swarms, middles, axis)
    for strip, swarm, middle in zip(strips, swarms, middles):
        parts += _drawn(strip, swarm, middle, axis)
    top += height + AXIS
    apart = _difference(sweep, metric)
    if apart:
        axis = _axis([apart], has_zero=True)
        parts += _grid(axis, top, STRIP)
        zero = axis.across(0.0)
        parts.append(
            f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="{top}" y2="{top + STRIP}"/>'
        )
        parts += _drawn(apart, _swarm(apart, axis), top + STRIP / 2, axis)
        top += STRIP + AXIS
    return [*parts, "</g>"], top + GAP


def _heading(metric: Mapping[str, Any], top: float) -> str:
    better = f" ({metric['better']} is better)" if metric.get("better") else ""
    name = _shortened(metric["name"], 60)
    return f'<text x="{LEFT}" y="{top + 2}">{_text(name)}{better}</text>'


def values_of(sweep: Mapping[str, Any], name: str, arm: str) -> dict[int, float]:
    """Return the seeds of an arm's runs with their values of a metric; a repeat is left out."""
    return {
        run["seed"]: run["metrics"][name]
        for run in sweep["runs"]
        if run["arm"] == arm and not run["again"] and run["metrics"].get(name) is not None
    }


def _strips(sweep: Mapping[str, Any], metric: Mapping[str, Any]) -> Iterator[Strip]:
    name = metric["name"]
    of_metric = sweep["statistics"].get(name) or {}
    for arm in (sentence.RUN, sentence.AGAINST):
        found = of_metric.get(arm)
        values = values_of(sweep, name, arm)
        if found and found["n"] and values:
            digits = digits_of(found)
            words = [f"mean {digits(found['mean'])}", *_interval_in_words(found, digits)]
            # Above and below the lines between the pairs.
            side = -1 if arm == sentence.RUN and sweep.get("against") else 1
            yield Strip(arm, arm, values, found["mean"], found["interval"], words, side)


def _interval_in_words(found: Mapping[str, Any], digits: Digits) -> list[str]:
    if not found["interval"]:
        return ["one run"] if found["n"] == 1 else []
    low, high = found["interval"]
    return [f"{digits(low)} to {digits(high)}", f"sd {digits(found['sd'])}, n = {found['n']:,}"]


def _difference(sweep: Mapping[str, Any], metric: Mapping[str, Any]) -> Strip | None:
    name = metric["name"]
    found = (sweep["statistics"].get(name) or {}).get("difference")
    if not found or not found["n"] or found["mean"] is None:
        return None
    run, against = (values_of(sweep, name, arm) for arm in (sentence.RUN, sentence.AGAINST))
    apart = {seed: against[seed] - run[seed] for seed in run if seed in against}
    if not all(map(math.isfinite, apart.values())):
        return None
    digits = digits_of(found)
    words = [f"mean {digits.signed(found['mean'])}"]
    if found["interval"]:
        low, high = found["interval"]
        words.append(f"{digits.signed(low)} to {digits.signed(high)}")
    words.append(f"sign-flip test p = {sentence.p_in_words(found)}")
    words.append(sentence.wins_in_words(found, metric))
    return Strip("difference", "apart", apart, found["mean"], found["interval"], words)


def _axis(strips: Sequence[Strip], has_zero: bool = False) -> Axis:
    values = [value for strip in strips for value in strip.values.values()]
    if has_zero:
        values.append(0.0)
    low, high = min(values), max(values)
    # Some room at both ends, and an axis of some length where all runs are equal.
    room = 0.04 * (high / 2 - low / 2) * 2 or abs(high) * 0.05 or 1.0
    limit = 1.7e308
    return Axis(max(-limit, low - room), min(limit, high + room))


def _grid(axis: Axis, top: float, height: float) -> Iterator[str]:
    ticks = axis.ticks()
    step = (ticks[1] - ticks[0]) if len(ticks) > 1 else None
    digits = Digits(ticks, step and 10 * step)
    for tick in ticks:
        x = axis.across(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + height}"/>'
        yield (
            f'<text class="small" x="{x:.1f}" y="{top + height + 17}" text-anchor="middle">'
            f"{digits(tick)}</text>"
        )
    yield (
        f'<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{top + height}" '
        f'y2="{top + height}"/>'
    )


def _radius(strip: Strip) -> float:
    return 4.0 if len(strip.values) <= _MANY else 2.5


def _swarm(strip: Strip, axis: Axis) -> dict[int, float]:
    """Return seed to how far its mark is below the middle, so that marks lie beside each other."""
    width = 2 * _radius(strip)
    columns: dict[int, list[int]] = {}
    for seed in sorted(strip.values):
        columns.setdefault(int(axis.across(strip.values[seed]) / width), []).append(seed)
    fullest = max(map(len, columns.values()))
    apart = min(width, 2 * HALF / fullest)
    return {
        # 0, then one above, one below, and so on.
        seed: apart * ((place + 1) // 2) * (1 if place % 2 else -1)
        for column in columns.values()
        for place, seed in enumerate(column)
    }


def _pairs(
    strips: Sequence[Strip],
    swarms: Sequence[Mapping[int, float]],
    middles: Sequence[float],
    axis: Axis,
) -> Iterator[str]:
    if len(strips) < 2:
        return
    (one, other), (above, below) = strips, swarms
    for seed in one.values:
        if seed in other.values:
            yield (
                f'<line class="joined" x1="{axis.across(one.values[seed]):.1f}" '
                f'x2="{axis.across(other.values[seed]):.1f}" y1="{middles[0] + above[seed]:.1f}" '
                f'y2="{middles[1] + below[seed]:.1f}"/>'
            )


def _drawn(strip: Strip, swarm: Mapping[int, float], middle: float, axis: Axis) -> Iterator[str]:
    yield f'<text x="{LEFT - 12}" y="{middle + 4}" text-anchor="end">{_text(strip.name)}</text>'
    digits = Digits(strip.values.values(), None)
    for seed, value in strip.values.items():
        yield (
            f'<circle class="{strip.kind}" cx="{axis.across(value):.1f}" '
            f'cy="{middle + swarm[seed]:.1f}" r="{_radius(strip)}">'
            f"<title>SEED {seed}: {digits(value)}</title></circle>"
        )
    yield from _interval(strip, middle, axis)
    first = middle + 4 - 8 * (len(strip.words) - 1)
    for number, line in enumerate(strip.words):
        yield (
            f'<text class="small" x="{LEFT + WIDTH + 14}" y="{first + 16 * number}">'
            f"{_text(line)}</text>"
        )


def _interval(strip: Strip, middle: float, axis: Axis) -> Iterator[str]:
    middle += BESIDE * strip.side
    if strip.interval:
        low, high = (axis.across(end) for end in strip.interval)
        yield (f'<path class="interval" d="M{low:.1f} {middle - 6}v12m0 -6H{high:.1f}m0 -6v12"/>')
    x = axis.across(strip.mean)
    yield f'<circle class="mean" cx="{x:.1f}" cy="{middle}" r="3.5"/>'
