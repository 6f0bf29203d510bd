"""The picture of one result: what each arm costs over all models, and what each level costs each.

It is drawn by what draws the picture of `seed-init cost`.
"""

import statistics

from benchmarks.cost import table
from benchmarks.cost.arms import BASE
from benchmarks.cost.record import Result
from seed_init.proof.cost import drawing
from seed_init.proof.cost.drawing import Line

LEVELS = ("fast", "warn", "strict")
"""Those that have a line for each model."""

NOTE = "time a step, as a multiple of that under off; line: smallest to largest"


def draw(result: Result) -> str:
    """Draw a result; the same result gives the same text.

    Args:
        result: with at least one model.

    Returns:
        An SVG document.
    """
    arms = [
        name
        for name, arm in result["arms"].items()
        if name != BASE and arm["group"] in ("levels", "peers")
    ]
    lines = [_mean(result, name) for name in arms]
    for model in result["models"]:
        lines += [_of_model(result, model, level) for level in LEVELS if level in arms]
    models = f"{len(result['models'])} model{'s' * (len(result['models']) != 1)}"
    noise = table.noise(result)
    known = f"; noise of the measurement: {noise}" if noise != table.NOTHING else ""
    return drawing.chart(
        f"What determinism costs: {table.chip(result)}",
        f"{table.build(result)}; {models}, {table.rounds(result)}{known}",
        NOTE,
        lines,
    )


def _mean(result: Result, arm: str) -> Line:
    """The geometric mean over the models, and the cheapest and the dearest of them."""
    of = result["arms"][arm]
    ours = "seed_init " if of["environment"].get("SEED", "off") != "off" else ""
    name = f"{ours}{of['title']}".replace("`", "")
    costs = table.costs(result, arm)
    if not costs:
        reason = result["arms"][arm]["not_run"] or "no model came through"
        return Line(name, None, None, None, reason)
    mean = statistics.geometric_mean(costs)
    same = table.is_identical(result, arm)
    words = f"{mean:.3f}, {'identical' if same else 'not all identical'}"
    return Line(name, mean, (min(costs), max(costs)), same, words)


def _of_model(result: Result, model: str, level: str) -> Line:
    """One level of one model, with the spread of its rounds."""
    name, row = f"{model}, {level}", table.row(result, model, level)
    if row is None or row["ratio"] is None:
        return Line(name, None, None, None, table.why_not(result, model, level))
    low, high = row["ratio_spread"]
    return Line(name, row["ratio"], (low, high), row["identical"], f"{row['ratio']:.3f}")
