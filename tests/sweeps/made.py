"""Results of sweeps that are made and not run: what `sweep.json` has, by the real estimators."""

from collections.abc import Mapping
from random import Random
from typing import Any

from seed_init.proof.statistics.paired import difference
from seed_init.proof.statistics.summary import summary
from seed_init.proof.sweeping.sentence import sentence
from seed_init.proof.trace import schemas

Values = Mapping[int, "float | None"]

EFFECT = {
    "verdict": "yes",
    "text": "each seed gave other results (metrics)",
    "compared": ["metrics"],
    "identical": [],
    "places": [],
    "why": None,
    "remedy": None,
}
REPEATS: dict[str, Any] = {
    "verdict": "same",
    "seed": 0,
    "text": "seed 0 gave the same results twice, bit for bit (metrics)",
    "compared": ["metrics"],
    "difference": None,
    "noise": {},
    "remedies": [],
}


def made(
    run: Values,
    against: Values | None = None,
    name: str = "accuracy",
    better: str | None = "higher",
    failed: Mapping[int, int] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """A sweep of one metric.

    Args:
        run: seed to value; None where the run gave NaN.
        against: of the other command, if there is one.
        name: of the metric.
        better: which values are.
        failed: seed to exit status of the runs of the first command that failed.
        others: entries that take the place of these.
    """
    failed = failed or {}
    arms = {"run": run} if against is None else {"run": run, "against": against}
    content: dict[str, Any] = {
        "format": 1,
        "kind": "sweep",
        "name": "train",
        "command": ["python", "train.py"],
        "against": None if against is None else ["python", "train.py", "--wide"],
        "seeds": list(run),
        "metrics": [{"name": name, "source": f"{name}: ([0-9.]+)", "better": better}],
        "code": {"commit": None, "diff_sha256": None},
        "environment": {},
        "runs": [
            _run(arm, seed, name, value, failed.get(seed, 0) if arm == "run" else 0)
            for arm, values in arms.items()
            for seed, value in values.items()
        ],
        "checks": {
            "seed_has_effect": {"run": EFFECT, "against": EFFECT if against else None},
            "repeats": REPEATS,
            "shared_files": {
                "verdict": "none",
                "text": "no two runs wrote to one file",
                "files": [],
            },
        },
        "statistics": {
            name: {
                "run": summary(run).to_json(),
                "against": None if against is None else summary(against).to_json(),
                "difference": None
                if against is None
                else difference(run, against, better).to_json(),
            }
        },
        "sentence": "",
    }
    content |= others
    content["sentence"] = sentence(content)
    schemas.check("sweep-1")(content)
    return content


def large(seeds: int) -> dict[str, Any]:
    """A sweep of two commands with many seeds; its statistics, which take seconds, are of six."""
    run, against = normal(seeds), normal(seeds, seed=2)
    few = range(6)
    content = made(*({n: arm[n] for n in few} for arm in (run, against)))
    runs = [
        _run(arm, seed, "accuracy", value, 0)
        for arm, values in (("run", run), ("against", against))
        for seed, value in values.items()
    ]
    return content | {"seeds": list(range(seeds)), "runs": runs}


def _run(arm: str, seed: int, name: str, value: float | None, status: int) -> dict[str, Any]:
    is_nan = value is None and not status
    return {
        "arm": arm,
        "seed": seed,
        "again": False,
        "directory": f"{arm}/seed-{seed}",
        "status": status,
        "how": "exit",
        "seconds": 1.5,
        "metrics": {name: value},
        "not_finite": {name: "NaN"} if is_nan else {},
        "problems": [f"ended with exit status {status}"] if status else [],
        "record": None,
    }


def normal(count: int, seed: int = 1, center: float = 0.9, sd: float = 0.01) -> dict[int, float]:
    """Values that are normal, of the seeds from 0 on."""
    draw = Random(seed)
    return {number: draw.gauss(center, sd) for number in range(count)}
