# SPDX-License-Identifier: Apache-2.0
"""Charts show the losses of each optimizer, and how far records are from the first one."""

import math
from collections.abc import Iterator, Mapping, Sequence

from seed_init.proof.reporting.model import Chart, Curve, Mark
from seed_init.proof.reporting.view.comparison import Comparison
from seed_init.proof.reporting.view.rows import ALL, Loaded, Series
from seed_init.proof.trace.steps import Step

_DISTANCE_FLOOR = 1e-300  # below, a distance is drawn as none: a logarithmic axis ends somewhere


def charts(
    loaded: Sequence[Loaded], series: Sequence[Series], comparisons: Sequence[Comparison]
) -> Iterator[Chart]:
    """The charts of all series: the losses, and their distance from those of the first record."""
    firsts = [_first(comparisons, index) for index in range(len(series))]
    prominent = _prominent(series, firsts)
    for index, (one_series, first) in enumerate(zip(series, firsts)):
        losses = [_losses(steps) for steps in one_series.steps]
        curves = tuple(Curve(run, points) for run, points in enumerate(losses) if points)
        if not curves:
            continue
        mark = None if first is None else Mark(first, f"first difference: step {first:,}")
        of = "" if one_series.label == ALL else f", {one_series.label}"
        seen = index in prominent
        yield Chart(f"Loss{of}", _unit(one_series), curves, None, mark, seen)
        apart = _distances(curves)
        if apart:
            title = f"Distance of the loss from {loaded[0].name}{of}"
            yield Chart(title, "absolute; no line where it is 0", apart, True, None, seen)


def _first(comparisons: Sequence[Comparison], index: int) -> int | None:
    firsts = (comparison.unlike[index].first() for comparison in comparisons)
    return min((first for first in firsts if first is not None), default=None)


def _prominent(series: Sequence[Series], firsts: Sequence[int | None]) -> set[int]:
    """Return which series are in sight: ranks mostly show the same.

    That is the first one that differs, or where none does the first one; with it all optimizers of
    its process but the first.
    """
    if not series:
        return set()
    parted = [
        (first, one_series.process, one_series.optimizer, index)
        for index, (first, one_series) in enumerate(zip(firsts, series))
        if first is not None
    ]
    chosen = min(parted)[-1] if parted else 0
    return {chosen} | {
        index
        for index, one_series in enumerate(series)
        if one_series.optimizer and one_series.number == series[chosen].number
    }


def _losses(steps: Mapping[int, Step]) -> tuple[tuple[int, float], ...]:
    losses = ((call, step.loss) for call, step in sorted(steps.items()))
    return tuple((call, loss) for call, loss in losses if loss is not None)


def _unit(series: Series) -> str:
    several = any(len(step.losses) > 1 for steps in series.steps for step in steps.values())
    return "mean of a step's backward passes" if several else "as given to backward()"


def _distances(curves: Sequence[Curve]) -> tuple[Curve, ...]:
    """Return the distances from the first curve. Curves that never leave it are left out."""
    base = dict(curves[0].points)
    distances = []
    for curve in curves[1:]:
        points = tuple(
            (step, abs(value - base[step]))
            for step, value in curve.points
            if step in base and math.isfinite(value - base[step])
        )
        if any(distance > _DISTANCE_FLOOR for _, distance in points):
            distances.append(Curve(curve.run, points))
    return tuple(distances)
