"""The table that docs/reference/engines.md has: which engine showed what, in this run of the tests.

A test says by `@pytest.mark.shows(engine, *what)` what it shows of which engine. "{}" in the name
of the engine stands for the first parameter of the test.
"""

import re
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

COLUMNS = {
    "runs": "the same in each run",
    "alike": "no two units alike",
    "seed": "others with another SEED",
    "workers": "the same on other workers",
    "control": "vary without the hook",
}
"""What a test can show -> the heading of the column."""

DISTRIBUTIONS = {
    "Celery": "celery",
    "Dask": "distributed",
    "Dask, workers as programs": "distributed",
    "Hydra": "hydra-core",
    "Lightning": "lightning",
    "Optuna": "optuna",
    "RQ": "rq",
    "Ray": "ray",
    "Ray Train": "ray",
    "Ray Tune": "ray",
    "Snakemake": "snakemake",
    "Spark": "pyspark",
    "accelerate": "accelerate",
    "gunicorn": "gunicorn",
    "joblib": "joblib",
    "pytest-xdist": "pytest-xdist",
    "submitit": "submitit",
    "torchrun": "torch",
    "uvicorn": "uvicorn",
}
"""Engine -> the Python distribution that tells its version."""

COMMANDS = {
    "GNU parallel": ("parallel", "--version"),
    "Open MPI": ("mpirun", "--version"),
    "Slurm": ("sinfo", "--version"),
    "xargs": ("xargs", "--version"),
}
"""Engine -> the command that tells its version."""


def table(outcomes: dict[str, dict[str, set[str]]], sites: list[Path]) -> Iterator[str]:
    """Make the rows of the table, in Markdown.

    Args:
        outcomes: engine -> what was shown (see `COLUMNS`) -> outcomes of the tests that show it.
        sites: directories in which the engines' packages are installed.
    """
    yield f"| engine | version | {' | '.join(COLUMNS.values())} |"
    yield f"|---|---|{'---|' * len(COLUMNS)}"
    for engine in sorted(outcomes, key=str.lower):
        shown = [_cell(outcomes[engine].get(what, set())) for what in COLUMNS]
        yield f"| {engine} | {version(engine, sites)} | {' | '.join(shown)} |"


def _cell(outcomes: set[str]) -> str:
    if "failed" in outcomes:
        return "NO"
    return "yes" if "passed" in outcomes else "not run" if outcomes else ""


def version(engine: str, sites: list[Path]) -> str:
    """The version of an engine; "unknown" where nothing tells it."""
    if engine in DISTRIBUTIONS:
        found = metadata.distributions(name=DISTRIBUTIONS[engine], path=list(map(str, sites)))
        return next((each.version for each in found), "unknown")
    try:
        done = subprocess.run(COMMANDS[engine], capture_output=True, text=True, timeout=60)
    except (KeyError, OSError):
        return "unknown"
    numbers = re.search(r"\d[\d.]*\d", done.stdout + done.stderr)
    return numbers.group() if numbers else "unknown"
