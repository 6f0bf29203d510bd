# SPDX-License-Identifier: Apache-2.0
"""The result of a sweep: what `sweep.json` has."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seed_init.proof.redaction import redaction
from seed_init.proof.statistics.paired import difference
from seed_init.proof.statistics.summary import summary as summary_of
from seed_init.proof.sweeping import checks, rows, sentence
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.ledger import RESULT, Folder
from seed_init.proof.sweeping.metrics import Metric
from seed_init.proof.sweeping.rows import Shown, Sweep
from seed_init.system import writing

FORMAT = 1
KIND = "sweep"


def summary(folder: Path) -> dict[str, Any]:
    """Return what a sweep has shown so far.

    Args:
        folder: the folder of the sweep. A run that is not there is a row that says so.

    Raises:
        plans.NotASweep: the folder has no plan that can be read.
    """
    return of(rows.read(Folder(folder)))


def of(sweep: Sweep) -> dict[str, Any]:
    """Return what a sweep has shown, without secrets.

    Args:
        sweep: the sweep, with what there is of its runs.
    """
    plan = sweep.plan
    content: dict[str, Any] = {
        "format": FORMAT,
        "kind": KIND,
        "name": plan.name,
        "command": list(plan.command),
        "against": None if plan.against is None else {"command": list(plan.against)},
        "seeds": list(plan.seeds),
        "metrics": [
            {"name": metric.name, "source": metric.source, "better": metric.better}
            for metric in plan.metrics
        ],
        "code": {name: plan.code.get(name) for name in ("commit", "diff_sha256")},
        "environment": dict(plan.environment),
        "runs": [_row(sweep, run) for run in sweep.runs],
        "checks": checks.of(sweep),
        "statistics": {metric.name: _statistics(sweep, metric) for metric in plan.metrics},
    }
    # As a command line, whose secrets stand between words.
    clean: dict[str, Any] = redaction.deep(content)
    against = clean["against"]
    clean["against"] = None if against is None else against["command"]
    clean["sentence"] = sentence.sentence(clean)
    return clean


def _row(sweep: Sweep, run: Shown) -> dict[str, Any]:
    task, row = run.task, run.row
    record = row is not None and (row.directory / "record.json").is_file()
    return {
        "arm": task.arm,
        "seed": task.seed,
        "again": task.again,
        "directory": task.name,
        "status": None if row is None else row.status,
        "how": None if row is None else row.how,
        "seconds": None if row is None else row.seconds,
        "metrics": {
            metric.name: run.values[metric.name].number if metric.name in run.values else None
            for metric in sweep.plan.metrics
        },
        "not_finite": {
            name: value.not_finite for name, value in run.values.items() if value.not_finite
        },
        "problems": list(run.problems),
        "record": f"{task.name}/record.json" if record else None,
    }


def _statistics(sweep: Sweep, metric: Metric) -> dict[str, Any]:
    values = {arm: _values(sweep, arm, metric.name) for arm in sweep.arms}
    told: dict[str, Any] = {
        plans.RUN: summary_of(values[plans.RUN]).to_json(),
        plans.AGAINST: None,
        "difference": None,
    }
    if plans.AGAINST in values:
        told[plans.AGAINST] = summary_of(values[plans.AGAINST]).to_json()
        pair = values[plans.RUN], values[plans.AGAINST]
        told["difference"] = difference(*pair, metric.better).to_json()
    return told


def _values(sweep: Sweep, arm: str, metric: str) -> dict[int, float | None]:
    """Return the metric of each seed; None where its run has failed or gave no number."""
    return {
        run.task.seed: run.values[metric].number if metric in run.values else None
        for run in sweep.runs
        if run.task.arm == arm and not run.task.again
    }


def write(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `sweep.json`; return its path.

    Raises:
        OSError: it cannot be written; what was there is unchanged.
    """
    file = folder / RESULT
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    writing.replace(file, text, durable=True)
    return file
