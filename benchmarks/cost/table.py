"""The tables of one result, in Markdown. Every figure is computed from the JSON."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.cost.arms import BASE
from benchmarks.cost.record import Result
from seed_init.proof.cost.judging import percent

OURS = ("off", "warn", "strict")
"""The levels that stand beside the peers."""

Row = Mapping[str, Any]
"""The figures of an arm for a model, as `seed-init cost --json` has them."""

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
        " the same round, the mean of both where `off` ran twice), with the smallest and the"
        " largest of these ratios. What two runs of `off` in one round differ by is the noise of"
        " the measurement. Figures of"
        f" other machines have files of their own. Made by `{made_by}` from [{name}.json]"
        f"({name}.json), where the figures of every run are.",
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


def row(result: Result, model: str, arm: str) -> Row | None:
    """The figures of an arm for a model; None where the arm was not measured."""
    rows: Sequence[Row] = result["models"][model].get("rows", ())
    return next((each for each in rows if each["name"] == arm), None)


def why_not(result: Result, model: str, arm: str) -> str:
    """Why there is no ratio of an arm for a model, in a few words; nothing where it was not run."""
    measured = result["models"][model]
    if "failed" in measured:
        return str(measured["failed"])
    found, base = row(result, model, arm), row(result, model, BASE)
    if found is None:
        return NOTHING
    if found["raised"]:
        return f"raises: {found['raised']}"
    if base is None or base["step_seconds"] is None:
        return f"`{BASE}` failed"
    return str(found["problem"] or NOTHING)


def costs(result: Result, arm: str) -> list[float]:
    """The ratios of an arm, of the models where there is one."""
    found = (row(result, model, arm) for model in result["models"])
    return [each["ratio"] for each in found if each is not None and each["ratio"] is not None]


def cell(result: Result, model: str, arm: str) -> str:
    """An arm's cost for a model: a ratio with its spread, or why there is none."""
    found = row(result, model, arm)
    if found is None or found["ratio"] is None:
        return why_not(result, model, arm)
    low, high = found["ratio_spread"]
    return f"{found['ratio']:.3f} ({low:.3f}–{high:.3f})"


def noise(result: Result, *models: str) -> str:
    """By how much two runs of `off` differ: the median over the models, or over all of them."""
    found = [result["models"][model].get("noise") for model in models or result["models"]]
    known = [each for each in found if each is not None]
    return percent(statistics.median(known)) if known else NOTHING


def samples(result: Result, model: str, arm: str) -> list[Row]:
    """The runs of an arm."""
    return list(result["models"][model].get("samples", {}).get(arm, ()))


def mean(values: Sequence[float], of: int) -> str:
    """A geometric mean, and of how many models if not of all."""
    if not values:
        return NOTHING
    some = "" if len(values) == of else f" ({len(values)} of {of} models)"
    return f"{statistics.geometric_mean(values):.3f}{some}"


def identical(result: Result, arm: str, models: Iterable[str]) -> str:
    """Bit-identical repeats of all models together: runs that gave what most of them gave."""
    found = [digests(result, model, arm) for model in models]
    most = [max(Counter(each).values()) for each in found if each]
    return f"{sum(most)} of {sum(map(len, found))}" if most else NOTHING


def is_identical(result: Result, arm: str) -> bool:
    """Whether each model gave the same bits in all rounds."""
    return all(len(set(digests(result, model, arm))) <= 1 for model in result["models"])


def digests(result: Result, model: str, arm: str) -> list[str]:
    """What each run of an arm came to, as far as it was seen."""
    return [each["digest"] for each in samples(result, model, arm) if each["digest"]]


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def without_empty(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """A table without the columns of which nothing is known."""
    known = [
        place
        for place, values in enumerate(zip(*rows))
        if any(value not in ("", NOTHING) for value in values)
    ]
    return [header[n] for n in known], [[line[n] for n in known] for line in rows]


def levels(result: Result) -> str:
    names = [name for name in measured(result, "levels") if name != BASE]
    titles = [result["arms"][name]["title"] for name in names]
    rows = []
    for model in result["models"]:
        base = row(result, model, BASE)
        known = base is not None and base["step_seconds"] is not None
        time = f"{base['step_seconds'] * 1e3:.2f} ms" if known and base else NOTHING
        cells = (cell(result, model, name) for name in names)
        rows.append([model, time, noise(result, model), *cells])
    of = len(result["models"])
    means = [f"**{mean(costs(result, name), of)}**" for name in names]
    rows.append(["**geometric mean**", "", "", *means])
    repeated = [BASE, *names]
    again = [
        [model, *(identical(result, name, [model]) for name in repeated)]
        for model in result["models"]
    ]
    bits = result["settings"].get("bits", "parameters, and where the generators stand")
    return "\n\n".join(
        [
            "## Levels: time of a step against `off`",
            grid(*without_empty(["model", "`off`", "noise", *titles], rows)),
            "## Levels: runs with the same bits",
            f"After the last step: {bits}. The most runs that agree, of all. Where no two agree"
            " this is 1.",
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
            *(cell(result, model, name) for model in models),
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
    for model, found in result["models"].items():
        operators = found.get("operators", {}).get("warn", ())
        warned = sorted({str(each["what"]) for each in operators})
        ended = {
            why_not(result, model, each["name"])
            for each in found.get("rows", ())
            if each["ratio"] is None
        }
        if warned or ended:
            named = ", ".join(f"`{each}`" for each in warned) or NOTHING
            rows.append([model, named, "; ".join(sorted(ended)) or NOTHING])
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
    rows = [
        [
            model,
            "; ".join(
                f"`{each['operator']}` {each['off_seconds'] * 1e3:.2f} →"
                f" {each['warn_seconds'] * 1e3:.2f}"
                for each in found["slower_operators"]
            ),
        ]
        for model, found in result["models"].items()
        if found.get("slower_operators")
    ]
    if not rows:
        return ""
    return "\n\n".join(
        [
            "## Where `warn` costs more than 2 %: the operators whose own time grew",
            "From a profile of each, in milliseconds a step, `off` to `warn`; profiling itself adds"
            " to both.",
            grid(["model", "operators"], rows),
        ]
    )


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
        [title(result, name), *(cell(result, model, name) for model in models)] for name in shown
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
    quotients = []
    for model in result["models"]:
        one, base = row(result, model, arm), row(result, model, BASE)
        if one and base and one["ratio"] is not None and one["peak_bytes"] and base["peak_bytes"]:
            quotients.append(one["peak_bytes"] / base["peak_bytes"])
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
        statistics.median(one[kind]) - statistics.median(base[kind]) for kind in ("cpu_s", "wall_s")
    )
    return f"{busy:+.2f} s CPU, {passed:+.2f} s"


FLAGS = {
    "CUDNN_DETERMINISTIC": "cuDNN deterministic",
    "CUDNN_BENCHMARK": "cuDNN benchmark",
    "TORCH_DETERMINISTIC_ALGORITHMS": "deterministic algorithms",
    "TORCH_FILL_UNINITIALIZED_MEMORY": "fill",
    "CUBLAS_WORKSPACE_CONFIG": "cuBLAS workspace",
}
"""The variable that stands for a flag -> as a column is headed."""

SHOWN: dict[str, Callable[[str | None], str]] = {
    "TORCH_DETERMINISTIC_ALGORITHMS": lambda value: {"0": "off", "1": "raise"}.get(
        str(value), str(value)
    ),
    "CUBLAS_WORKSPACE_CONFIG": lambda value: f"`{value}`" if value else NOTHING,
}


def flag_values(result: Result, arm: str) -> list[str]:
    """The flags in effect at the end of a run, in the first model that an arm came through."""
    plain: Callable[[str | None], str] = lambda value: "on" if value == "1" else "off"  # noqa: E731
    for model in result["models"]:
        for sample in samples(result, model, arm):
            if sample["flags"]:
                return [SHOWN.get(name, plain)(sample["flags"].get(name)) for name in FLAGS]
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
INDEXED = ("fast", "warn", "strict")


def index(results: dict[str, Result]) -> str:
    """One row for each result: geometric means of the levels.

    Args:
        results: name of the files, without ending, to result.
    """
    rows = []
    for name, result in sorted(results.items()):
        of = len(result["models"])
        means = [mean(costs(result, level), of) for level in INDEXED]
        link = f"[{chip(result)}]({name}.md)"
        again = mean(costs(result, "off-again"), of)
        apart = noise(result) if again == NOTHING else f"`off` again {again}"
        rows.append([link, build(result), str(of), apart, *means])
    levels = [f"`{level}`" for level in INDEXED]
    return grid(["machine", "torch", "models", "noise", *levels], rows)


def with_index(page: str, results: dict[str, Result]) -> str:
    """The page with the index of results between its two marks; as it is where it has none."""
    return between(page, BEGIN, END, index(results))


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with another text between two marks; as it is where it has not both."""
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}" if found else page
