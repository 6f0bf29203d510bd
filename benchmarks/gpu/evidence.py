"""What a run leaves: JSON, a page with the tables, a plot, and a row in docs/gpu.md.

The files have the form of benchmarks/cost and lie beside its files, named after the GPU, torch and
CUDA: `python -m benchmarks.cost --render` makes their tables anew.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cost import picture, record, table
from benchmarks.gpu.judging import FAIL, INFO, NOT_RUN, PASS
from harness.repository import REPOSITORY
from seed_init.system import writing

PAGE = REPOSITORY / "docs/gpu.md"
COSTS = REPOSITORY / "docs/cost"
BEGIN, END = "<!-- runs: written by benchmarks.gpu -->", "<!-- end of runs -->"
NO_RUN = "No figure has come from a GPU yet."

Result = dict[str, Any]


def result(
    facts: Mapping[str, Any], started: str, cost: Mapping[str, Any], checks: Sequence[Any]
) -> Result:
    """All that a run found, in the form of benchmarks/cost.

    Args:
        facts: what programs/facts.py printed.
        started: when the run began, as ISO 8601 has it.
        cost: settings, arms and models of the price; empty where it was not measured.
        checks: the lines of the run, as JSON.
    """
    settings = {"rounds": 0, "warmup": 0, "steps": 0, "threads": 0, "seed": 7}
    empty = {"settings": {**settings, "made_by": "make gpu"}, "arms": {}, "models": {}}
    return {
        "machine": {**record.describe(dict(facts), "cuda"), "capability": facts["capability"]},
        "started": started,
        **empty,
        "startup": {},
        **cost,
        "checks": list(checks),
    }


def write(directory: Path, found: Result) -> Path:
    """Write JSON, page and plot; returns the JSON file.

    A file of the same GPU, torch and settings that this script has written is replaced; a number
    tells others apart (record.place).
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = record.place(directory, found)
    writing.replace(file, record.text(found))
    render(file)
    return file


def render(file: Path) -> None:
    """Make page and plot of a JSON file anew."""
    found = record.read(file)
    file.with_suffix(".md").write_text(table.text(found, file.stem))
    file.with_suffix(".svg").write_text(picture.draw(found))


def publish(directory: Path, page: Path = PAGE) -> Path:
    """Write the runs in a directory into docs/gpu.md, and the index of docs/cost.

    Args:
        directory: with the JSON files. Where it is not docs/cost, a copy of the page is written
            into it, and nothing of the repository is touched.
        page: the page whose section is written.

    Returns:
        The page that was written.
    """
    found = {file.stem: record.read(file) for file in sorted(directory.glob("*.json"))}
    runs = {name: one for name, one in found.items() if one.get("checks")}
    own = directory.resolve() == COSTS
    target = page if own else directory / page.name
    writing.replace(target, with_runs(page.read_text(), runs))
    readme = directory / "README.md"
    if own and readme.exists():
        readme.write_text(table.with_index(readme.read_text(), found))
    return target


def with_runs(page: str, runs: Mapping[str, Result]) -> str:
    """The page with a row for each run between its two marks."""
    return table.between(page, BEGIN, END, section(runs))


def section(runs: Mapping[str, Result]) -> str:
    """A row for each run, and its checks that did not pass."""
    if not runs:
        return NO_RUN
    rows, failed = [], []
    for name, found in runs.items():
        of = found["machine"]
        counts = count(found["checks"])
        rows.append(
            [
                f"[{of['gpu']}](cost/{name}.md)",
                *(str(of[key] or table.NOTHING) for key in ("driver", "torch", "cuda", "cudnn")),
                found["started"][:10],
                *(str(counts[verdict]) for verdict in (PASS, FAIL, INFO, NOT_RUN)),
                means(found, "warn"),
            ]
        )
        failed += [
            f"- {of['gpu']}, torch {of['torch']}, **{each['check']}**: {each['detail']}"
            for each in found["checks"]
            if each["verdict"] == FAIL
        ]
    head = ["GPU", "driver", "torch", "CUDA", "cuDNN", "date", PASS, FAIL, INFO, NOT_RUN, "`warn`"]
    return "\n\n".join([table.grid(head, rows), *(["\n".join(failed)] if failed else [])])


def means(found: Result, arm: str) -> str:
    if arm not in found["arms"] or found["arms"][arm]["not_run"]:
        return table.NOTHING
    return table.mean(table.costs(found, arm), len(found["models"]))


def count(checks: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many checks have each verdict."""
    verdicts = [each["verdict"] for each in checks]
    return {verdict: verdicts.count(verdict) for verdict in (PASS, FAIL, INFO, NOT_RUN)}
