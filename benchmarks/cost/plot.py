"""The plot of one result: what each level costs, by model."""

import importlib
from pathlib import Path
from typing import Any

from benchmarks.cost import ratios, table

COLOURS = {"fast": "#8c8c8c", "warn": "#0072b2", "strict": "#d55e00"}
"""Of the levels that are drawn; told apart by people who do not see colours, too."""
NOISE = "#e4e4e4"
MEAN = "geometric mean"
LOGARITHMIC = 2.0
"""From this ratio on, the axis is logarithmic: one dear model must not hide the others."""
NARROWEST = (0.95, 1.1)
"""The axis shows at least this, so that noise does not look like a cost."""
TICKS = (0.5, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw(result: dict[str, Any], file: Path) -> None:
    """Draw a result; the same result gives the same bytes.

    Args:
        result: what was measured.
        file: the picture, of a format that matplotlib knows.

    Raises:
        ModuleNotFoundError: there is no matplotlib.
    """
    # Not at the top: figures can be measured where there is no matplotlib, and drawn elsewhere.
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    # Names of elements by a fixed salt, no date, letters as letters.
    with matplotlib.rc_context({"svg.hashsalt": "seed_init", "svg.fonttype": "none"}):
        models = list(result["models"])
        figure = figures.Figure(figsize=(8, 2 + 0.5 * len(models)), layout="constrained")
        axes = figure.add_subplot()
        shown = [*NARROWEST]
        for row, model in enumerate(models):
            shown += draw_model(axes, result, model, row)
        shown += draw_means(axes, result, len(models))
        scale(axes, min(shown), max(shown))
        dress(axes, [*models, MEAN])
        label(figure, axes, result)
        metadata = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, metadata=metadata, dpi=150)


def height(row: int, level: str) -> float:
    return row + 0.25 * (list(COLOURS).index(level) - 1)


def draw_model(axes: Any, result: dict[str, Any], model: str, row: int) -> list[float]:
    """Draw the levels of one model; returns the ratios that the axis has to show."""
    shown: list[float] = []
    noise = table.cost(result, model, "off-again")
    if isinstance(noise, ratios.Ratio):
        low, high = min(noise.low, 1.0), max(noise.high, 1.0)
        axes.barh(row, high - low, left=low, height=0.8, color=NOISE, zorder=0)
        shown += [low, high]
    for level, colour in COLOURS.items():
        found, y = table.cost(result, model, level), height(row, level)
        if isinstance(found, ratios.Ratio):
            axes.plot([found.low, found.high], [y, y], color=colour, linewidth=2, alpha=0.5)
            axes.plot([found.median], [y], marker="o", color=colour, linestyle="none")
            shown += [found.low, found.high]
        elif found:
            write(axes, f"{level} {found}", (1.0, y), colour)
    return shown


def draw_means(axes: Any, result: dict[str, Any], row: int) -> list[float]:
    """Draw the geometric means of the levels; returns them."""
    shown = []
    for level, colour in COLOURS.items():
        values = table.costs(result, level)
        if values:
            mean, y = ratios.geometric_mean(values), height(row, level)
            axes.plot([mean], [y], marker="D", color=colour, linestyle="none", markersize=7)
            write(axes, table.mean(values, len(result["models"])), (mean, y), "black")
            shown.append(mean)
    return shown


def write(axes: Any, text: str, place: tuple[float, float], colour: str) -> None:
    axes.annotate(text, place, (8, -3), textcoords="offset points", fontsize=8, color=colour)


def scale(axes: Any, least: float, most: float) -> None:
    if most > LOGARITHMIC:
        axes.set_xscale("log")
        ticks = [each for each in TICKS if least <= each <= most]
        axes.set_xticks(ticks, [f"{each:g}" for each in ticks])
        axes.minorticks_off()
        axes.set_xlim(least / 1.03, most * 1.1)
    else:
        width = most - least
        axes.set_xlim(least - 0.02 * width, most + 0.08 * width)


def dress(axes: Any, rows: list[str]) -> None:
    """Lines, and the names of the rows."""
    axes.axvline(1.0, color="black", linewidth=1)
    axes.axhline(len(rows) - 1.5, color="#b0b0b0", linewidth=0.8)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def label(figure: Any, axes: Any, result: dict[str, Any]) -> None:
    """What is shown, and what it was measured on."""
    axes.set_xlabel("time of a training step relative to DETERMINISM=off (right of 1: slower)")
    handles = [
        axes.plot([], [], marker="o", color=colour, linestyle="none", label=level)[0]
        for level, colour in COLOURS.items()
    ]
    patches = importlib.import_module("matplotlib.patches")
    handles.append(patches.Patch(color=NOISE, label="off, measured twice (noise)"))
    axes.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False
    )
    figure.suptitle(
        f"What determinism costs: {table.chip(result)}\n"
        f"{table.build(result)}; median and spread of {table.rounds(result)}",
        fontsize=11,
    )
