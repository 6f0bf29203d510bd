"""The tables of one result, in Markdown. Every figure is computed from the JSON."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.cost import ratios
from benchmarks.cost.arms import BASE

OURS = ("off", "warn", "strict")
"""The levels that stand beside the peers."""
GREW = 3
"""How many operators are named for a model that `warn` makes slower."""

Result = dict[str, Any]
NOTHING = "–"


def text(result: Result, name: str) -> str:
    """The whole page.

    Args:
        result: what was measured.
        name: of the files, without ending.
    """
    if not result["models"]:
        return "\n\n".join([*head(result, name).split("\n\n")[:3], checks(result)]) + "\n"
    sections = [
        head(result, name),
        levels(result),
        switches(result),
        alerts(result),
        grown(result),
        peers(result),
        not_run(result),
        checks(result),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def head(result: Result, name: str) -> str:
    settings = result["settings"]
    made_by = settings.get("made_by", "make bench-cost")
    lines = [
        f"# What determinism costs: {chip(result)}, {build(result)}",
        f"![Time of a step by level and model]({name}.svg)",
        machine(result),
        f"Settings: {rounds(result)}; in each, every arm of a model in random order,"
        f" each in a fresh process; {settings['warmup']} steps of warm-up, {settings['steps']}"
        f" measured steps; {settings['threads']} threads; seed {settings['seed']};"
        f" begun {result['started']}.",
        "A cell is the median over the rounds of (median step of the arm / median step of `off` in"
        " the same round), with the smallest and the largest of these ratios. *`off` again* is the"
        " same as `off`: how far it is from 1 is the noise of the measurement. Figures of"
        f" other machines have files of their own. Made by `{made_by}` from [{name}.json]"
        f"({name}.json), where the raw medians are.",
    ]
    return "\n\n".join(lines)


def chip(result: Result) -> str:
    machine = result["machine"]
    return str(machine["gpu"] or f"{machine['processor']}, {machine['cores']} cores")


def build(result: Result) -> str:
    machine = result["machine"]
    cuda = f"CUDA {machine['cuda']}" if machine["gpu"] else "CPU"
    return f"torch {machine['torch'].split('+')[0]}, {cuda}"


def rounds(result: Result) -> str:
    number = result["settings"]["rounds"]
    return f"{number} round{'s' * (number != 1)}"


def machine(result: Result) -> str:
    """One line: all that the figures belong to."""
    of = result["machine"]
    parts = [f"{of['processor']}, {of['cores']} cores, {of['memory_gib']} GiB"]
    if of["gpu"]:
        parts.append(f"{of['gpu']}, driver {of['driver']}")
    parts += [f"Linux {of['kernel']}", f"Python {of['python']}", f"torch {of['torch']}"]
    if of["gpu"]:
        parts.append(f"CUDA {of['cuda']}, cuDNN {of['cudnn']}")
    return f"Machine: {', '.join(parts)}."


def measured(result: Result, *groups: str) -> list[str]:
    """The arms of these groups that were run."""
    return [
        name
        for name, arm in result["arms"].items()
        if arm["group"] in groups and not arm["not_run"]
    ]


def cost(result: Result, model: str, arm: str) -> ratios.Ratio | str | None:
    """An arm's cost for a model: a ratio, why there is none, or None where it was not measured."""
    cells = result["models"][model]
    if arm not in cells:
        return None
    for name in (arm, BASE):
        if cells[name]["failed"]:
            return str(cells[name]["failed"] if name == arm else f"`{BASE}` failed")
    return ratios.ratio(cells[arm]["step_ms"], cells[BASE]["step_ms"])


def costs(result: Result, arm: str) -> list[float]:
    """The ratios of an arm, of the models where there is one."""
    found = (cost(result, model, arm) for model in result["models"])
    return [each.median for each in found if isinstance(each, ratios.Ratio)]


def cell(value: ratios.Ratio | str | None) -> str:
    if isinstance(value, ratios.Ratio):
        return f"{value.median:.3f} ({value.low:.3f}–{value.high:.3f})"
    return value or NOTHING


def mean(values: Sequence[float], of: int) -> str:
    """A geometric mean, and of how many models if not of all."""
    if not values:
        return NOTHING
    some = "" if len(values) == of else f" ({len(values)} of {of} models)"
    return f"{ratios.geometric_mean(values):.3f}{some}"


def identical(result: Result, arm: str, models: Iterable[str]) -> str:
    """Bit-identical repeats of all models together: runs that gave what most of them gave."""
    digests = [
        cells[arm]["digests"]
        for cells in (result["models"][model] for model in models)
        if arm in cells and not cells[arm]["failed"]
    ]
    if not digests:
        return NOTHING
    return f"{sum(map(ratios.repeats, digests))} of {sum(map(len, digests))}"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def levels(result: Result) -> str:
    names = [name for name in measured(result, "levels") if name != BASE]
    titles = [result["arms"][name]["title"] for name in names]
    rows = []
    for model, cells in result["models"].items():
        base = cells[BASE]
        time = base["failed"] or f"{ratios.median(base['step_ms']):.2f} ms"
        rows.append([model, time, *(cell(cost(result, model, name)) for name in names)])
    of = len(result["models"])
    means = [f"**{mean(costs(result, name), of)}**" for name in names]
    rows.append(["**geometric mean**", "", *means])
    repeated = [name for name in (BASE, *names) if name != "off-again"]
    again = [
        [model, *(identical(result, name, [model]) for name in repeated)]
        for model in result["models"]
    ]
    return "\n\n".join(
        [
            "## Levels: time of a step against `off`",
            grid(["model", "`off`", *titles], rows),
            "## Levels: runs with the same bits",
            "Final parameters, buffers and all losses; the most that agree, of all runs. Where no"
            " two agree this is 1.",
            grid(["model", *(result["arms"][name]["title"] for name in repeated)], again),
        ]
    )


def switches(result: Result) -> str:
    names = measured(result, "switches")
    if not names:
        return ""
    models = list(result["models"])
    rows = [
        [
            result["arms"][name]["title"],
            *(cell(cost(result, model, name)) for model in models),
            f"**{mean(costs(result, name), len(models))}**",
            identical(result, name, models),
        ]
        for name in names
    ]
    return "\n\n".join(
        [
            "## Switches alone: time of a step against `off`",
            grid(["switch", *models, "geometric mean", "same bits"], rows),
        ]
    )


def alerts(result: Result) -> str:
    """Which operators PyTorch warned of, or raised for."""
    rows = []
    for model, cells in result["models"].items():
        warned = sorted({each for one in cells.values() for each in one["warned"]})
        raised = sorted({str(one["failed"]) for one in cells.values() if one["failed"]} - {"None"})
        if warned or raised:
            named = ", ".join(f"`{each}`" for each in warned) or NOTHING
            rows.append([model, named, "; ".join(raised) or NOTHING])
    if not rows:
        return "PyTorch warned of no operator in these models, and no arm failed."
    return "\n\n".join(
        [
            "## Operators without a deterministic version",
            grid(["model", "warned of", "an arm ended with"], rows),
        ]
    )


def grown(result: Result) -> str:
    """The operators whose time grew, of the models that `warn` makes slower."""
    rows = []
    for model, profiles in result["profiles"].items():
        if profiles:
            rows.append([model, "; ".join(growth(profiles["off"], profiles["warn"])) or NOTHING])
    if not rows:
        return ""
    return "\n\n".join(
        [
            "## Where `warn` costs more than 3 %: the operators whose own time grew",
            "From a profile of each, in milliseconds a step, `off` to `warn`; profiling itself adds"
            " to both. Where *`off` again* is as far from 1 as `warn`, this is noise.",
            grid(["model", "operators"], rows),
        ]
    )


def growth(off: Sequence[dict[str, Any]], warn: Sequence[dict[str, Any]]) -> list[str]:
    """The operators that grew most, the one that grew most first."""
    before = {each["name"]: each["ms"] for each in off}
    # An operator that is not listed takes less than the last one that is.
    least = min(before.values(), default=0.0)
    grew = [
        (each["ms"] - before.get(each["name"], least), each)
        for each in warn
        if each["ms"] > 1.05 * before.get(each["name"], least)
    ]
    told = []
    for _, each in sorted(grew, key=lambda pair: -pair[0])[:GREW]:
        start = before.get(each["name"])
        shown = f"less than {least:.2f}" if start is None else f"{start:.2f}"
        told.append(f"`{each['name']}` {shown} → {each['ms']:.2f}")
    return told


def peers(result: Result) -> str:
    names = measured(result, "peers")
    if not names:
        return ""
    models = list(result["models"])
    shown = [name for name in OURS if name in result["arms"]] + names
    rows = [
        [
            title(result, name),
            f"**{mean(costs(result, name), len(models))}**",
            memory(result, name),
            start_up(result, name),
            identical(result, name, models),
            str(result["arms"][name]["lines_of_code"]),
        ]
        for name in shown
    ]
    by_model = [
        [title(result, name), *(cell(cost(result, model, name)) for model in models)]
        for name in shown
    ]
    flags = [[title(result, name), *flag_values(result, name)] for name in shown]
    kinds = "allocated on the GPU" if result["machine"]["gpu"] else "resident"
    return "\n\n".join(
        [
            "## Beside its peers",
            f"Time and peak memory ({kinds}) against `off`, geometric means over the models."
            " Start-up: what a process that imports torch takes more for it, CPU and clock, median."
            " Lines: what a user adds to a program that imports torch.",
            grid(["", "time", "peak memory", "start-up", "same bits", "lines"], rows),
            "### By model",
            grid(["", *models], by_model),
            "### The flags that each sets",
            grid(["", *FLAGS.values()], flags),
        ]
    )


def title(result: Result, name: str) -> str:
    arm = result["arms"][name]
    if arm["group"] == "levels":
        return f"seed_init {arm['title']}"
    version = f", {arm['package']} {arm['version']}" if arm["version"] else ""
    return f"{arm['title']}{version}"


def memory(result: Result, arm: str) -> str:
    """Peak memory against the base: the geometric mean over the models."""
    kind = "allocated" if result["machine"]["gpu"] else "resident"
    quotients = []
    for cells in result["models"].values():
        if arm in cells and not cells[arm]["failed"] and not cells[BASE]["failed"]:
            one, base = (
                ratios.median([each[kind] for each in cells[name]["peak_bytes"]])
                for name in (arm, BASE)
            )
            quotients.append(one / base)
    return mean(quotients, len(result["models"]))


def start_up(result: Result, arm: str) -> str:
    """What an arm adds to a process that imports torch."""
    found = result["startup"]
    one, base = found.get(arm), found.get("none")
    if one is None or base is None:
        return NOTHING
    if "failed" in one or "failed" in base:
        return str(one.get("failed") or base.get("failed"))
    busy, passed = (
        ratios.median(one[kind]) - ratios.median(base[kind]) for kind in ("cpu_s", "wall_s")
    )
    return f"{busy:+.2f} s CPU, {passed:+.2f} s"


FLAGS = {
    "cudnn.deterministic": "cuDNN deterministic",
    "cudnn.benchmark": "cuDNN benchmark",
    "deterministic_debug_mode": "deterministic algorithms",
    "fill_uninitialized_memory": "fill",
    "CUBLAS_WORKSPACE_CONFIG": "cuBLAS workspace",
}
"""As train.py names them -> as a column is headed."""

SHOWN: dict[str, Callable[[Any], str]] = {
    "deterministic_debug_mode": lambda value: ("off", "warn", "raise")[value],
    "CUBLAS_WORKSPACE_CONFIG": lambda value: f"`{value}`" if value else NOTHING,
}


def flag_values(result: Result, arm: str) -> list[str]:
    """The flags in effect in the first model that an arm came through."""
    for cells in result["models"].values():
        if cells.get(arm, {}).get("flags"):
            flags = cells[arm]["flags"]
            plain: Callable[[Any], str] = lambda value: "on" if value else "off"  # noqa: E731
            return [SHOWN.get(name, plain)(flags[name]) for name in FLAGS]
    return [NOTHING] * len(FLAGS)


def not_run(result: Result) -> str:
    reasons = {name: arm["not_run"] for name, arm in result["arms"].items() if arm["not_run"]}
    if not reasons:
        return ""
    lines = [f"- {result['arms'][name]['title']}: {why}" for name, why in reasons.items()]
    return "\n\n".join(["## Not run here", "\n".join(lines)])


def checks(result: Result) -> str:
    """What `make gpu` asked beside the price, and what came out."""
    if not result.get("checks"):
        return ""
    rows = [
        [each["check"], each["verdict"], each["detail"].replace("|", "\\|"), f"{each['seconds']} s"]
        for each in result["checks"]
    ]
    return "\n\n".join(["## Checks", grid(["check", "", "what was found", "took"], rows)])


BEGIN, END = "<!-- results: written by benchmarks.cost -->", "<!-- end of results -->"
INDEXED = ("off-again", "fast", "warn", "strict")


def index(results: dict[str, Result]) -> str:
    """One row for each result: geometric means of the levels.

    Args:
        results: name of the files, without ending, to result.
    """
    rows = []
    for name, result in sorted(results.items()):
        of = len(result["models"])
        means = [mean(costs(result, level), of) for level in INDEXED]
        rows.append([f"[{chip(result)}]({name}.md)", build(result), str(of), *means])
    titles = ["`off` again (noise)", "`fast`", "`warn`", "`strict`"]
    return grid(["machine", "torch", "models", *titles], rows)


def with_index(page: str, results: dict[str, Result]) -> str:
    """The page with the index of results between its two marks; as it is where it has none."""
    return between(page, BEGIN, END, index(results))


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with another text between two marks; as it is where it has not both."""
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}" if found else page
