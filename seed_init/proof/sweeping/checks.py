# SPDX-License-Identifier: Apache-2.0
"""Does SEED have an effect, does one seed give the same bits twice, do runs share files?

Each verdict names what it rests on. Where nothing was seen that could be compared, it is unproven.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import causes, comparison
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.statistics.noise import noise
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping import rows
from seed_init.proof.sweeping.rows import Shown, Sweep, Unequal
from seed_init.proof.trace import records
from seed_init.system.terminal import shown

YES, PARTLY, NO, UNPROVEN = "yes", "partly", "no", "unproven"
SAME, DIFFERS = "same", "differs"
NONE, SOME = "none", "some"

TRAINING, METRICS, OUTPUT = "training", "metrics", "standard output"
"""What runs are compared by: the digest of what was trained, the metrics, and printed lines."""

SURE = 3
"""So many runs with equal metrics are no chance, where no process was observed."""

FINE = 5
"""A metric with so many digits is no two times the same by chance."""

WIDTH = 100


def of(sweep: Sweep) -> dict[str, Any]:
    """Make the checks of a sweep, as `sweep.json` has them.

    Args:
        sweep: the sweep, with what there is of its runs.
    """
    unequal = _outputs_of_one_seed(sweep)
    effects = {
        arm: _effect(sweep, arm, unequal if arm == plans.RUN else None) for arm in sweep.arms
    }
    return {
        "seed_has_effect": {plans.RUN: effects[plans.RUN], plans.AGAINST: effects.get("against")},
        "repeats": _repeats(sweep, unequal),
        "shared_files": _shared_files(sweep),
    }


def _outputs_of_one_seed(sweep: Sweep) -> Unequal | None:
    pair = sweep.repeated()
    if pair is None or not all(run.is_well for run in pair):
        return None
    try:
        return rows.compare_lines(sweep, *pair)
    except OSError:
        return None


# --- SEED has an effect -----------------------------------------------------------------------


def _effect(sweep: Sweep, arm: str, unequal: Unequal | None) -> dict[str, Any]:
    runs = sweep.of(arm)
    places = _places(sweep, runs)
    if len(runs) < 2:
        return _as_effect(UNPROVEN, "fewer than two seeds have ended well", [], [], places)
    is_trained = all(run.digest is not None for run in runs)
    keys, compared = _keys(sweep, runs, is_trained, unequal)
    if not compared:
        text = "nothing was seen that could be compared: no training, no metric, no output"
        return _as_effect(UNPROVEN, text, [], [], places)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for run, key in zip(runs, keys):
        groups[key].append(run.task.seed)
    identical = [seeds for seeds in groups.values() if len(seeds) > 1]
    by = " and ".join(compared)
    # A few printed numbers may be equal by chance. A training is not.
    if not identical or (len(groups) > 1 and not is_trained):
        text = f"each seed gave other results ({by})"
        if identical:
            text = f"{len(runs)} seeds gave {len(groups)} different results ({by})"
        doubt = _doubt(sweep, is_trained)
        if doubt:
            return _as_effect(UNPROVEN, f"{text}, {doubt}", compared, identical, places)
        return _as_effect(YES, text, compared, identical, places)
    if len(groups) > 1:
        seeds = ", ".join(map(str, identical[0][:5]))
        text = f"the seeds {seeds} gave the same results, bit for bit ({by}); others did not"
        return _as_effect(PARTLY, text, compared, identical, places, sweep, runs)
    if not (is_trained or places or _is_no_chance(runs)):
        text = f"{len(runs)} seeds gave the same ({by}), which may be chance; "
        more = "give more seeds, or" if METRICS in compared else "name"
        what = "a number of five digits or more, such as a loss, with --metric"
        return _as_effect(UNPROVEN, f"{text}{more} {what}", compared, identical, places)
    text = f"SEED has no effect: {len(runs)} seeds gave the same results, bit for bit ({by})"
    return _as_effect(NO, text, compared, identical, places, sweep, runs)


def _is_no_chance(runs: Sequence[Shown]) -> bool:
    """Return whether runs with equal metrics were equal in more than a few digits.

    An accuracy of 1 is what many different trainings give. If no process was observed, nothing in
    the runs follows SEED, and equal runs are what is to be expected.
    """
    numbers = [number for number in runs[0].numbers() if number is not None]
    is_fine = any(len(f"{number:.17g}".strip("-0.").replace(".", "")) >= FINE for number in numbers)
    is_observed = any(run.row is not None and run.row.content["observed"] for run in runs)
    return is_fine or (bool(numbers) and not is_observed and len(runs) >= SURE)


def _keys(
    sweep: Sweep, runs: Sequence[Shown], is_trained: bool, unequal: Unequal | None
) -> tuple[list[Hashable], list[str]]:
    """Return what each run is compared by, and the names of what that is made of.

    What is printed counts only where there is nothing else: names of runs are printed as well.
    """
    compared = [TRAINING] if is_trained else []
    if any(run.readings() for run in runs):
        compared.append(METRICS)
    lines: list[str | None] = [None] * len(runs)
    if not compared and (unequal is None or unequal.as_many):
        try:
            digests = [
                rows.stable_lines(sweep, run, unequal.numbers if unequal else frozenset())
                for run in runs
            ]
        except OSError:
            digests = []
        if any(count for _, count in digests):
            lines = [digest for digest, _ in digests]
            compared.append(OUTPUT)
    keys: list[Hashable] = [
        (run.digest if is_trained else None, tuple(run.readings().items()), line)
        for run, line in zip(runs, lines)
    ]
    return keys, compared


def _doubt(sweep: Sweep, is_trained: bool) -> str | None:
    """Return why other results are no effect of SEED for certain; None where they are.

    That is so only if two runs of one seed give the same results: noise differs as well.
    """
    pair = sweep.repeated()
    if pair is None or not all(run.is_well for run in pair):
        return "which may be noise: no seed was run twice to its end"
    first, again = pair
    if _metrics_differ(first, again) or (is_trained and first.digest != again.digest):
        return "and so did two runs of one seed: this may be noise"
    if first.readings().keys() != again.readings().keys():
        return f"which may be noise: {_lacking(first, again)}"
    return None


def _metrics_differ(first: Shown, again: Shown) -> bool:
    """Return whether two runs of one seed have another value of a metric that both have."""
    here, there = first.readings(), again.readings()
    return any(here[name] != there[name] for name in here.keys() & there.keys())


def _lacking(first: Shown, again: Shown) -> str:
    """Return which metric only one of two runs has."""
    bad = first if len(first.readings()) < len(again.readings()) else again
    names = first.readings().keys() ^ again.readings().keys()
    problem = next((each for name in names for each in bad.problems if each.startswith(name)), "")
    return f"the run of {bad.task} lacks {problem or ' and '.join(sorted(names))}"


def _as_effect(
    verdict: str,
    text: str,
    compared: Sequence[str],
    identical: Sequence[Sequence[int]],
    places: Sequence[dict[str, str]],
    sweep: Sweep | None = None,
    runs: Sequence[Shown] = (),
) -> dict[str, Any]:
    why = remedy = None
    if sweep is not None and verdict != YES:
        why, remedy = _why(sweep, runs, places)
    elif places and verdict != UNPROVEN:
        named = _named(places)
        why = f"{named} in every run: SEED does not decide what is drawn from there"
        remedy = "SEED_INIT_RESEED=mix mixes that seed with SEED; or take the line out"
    return {
        "verdict": verdict,
        "text": text,
        "compared": list(compared),
        "identical": [list(seeds) for seeds in identical],
        "places": list(places),
        "why": why,
        "remedy": remedy,
    }


def _places(sweep: Sweep, runs: Sequence[Shown]) -> list[dict[str, str]]:
    """Return where every run has seeded by itself, with one and the same seed."""
    if not runs or sweep.plan.environment.get("SEED_INIT_RESEED") == "mix":
        return []
    noted = [
        {tuple(place.values()): place for place in run.row.content["seeded_by_program"]}
        for run in runs
        if run.row is not None
    ]
    everywhere = set(noted[0]).intersection(*noted[1:]) if len(noted) > 1 else set()
    return [
        {**place, "place": _relative(place["place"], sweep.plan.cwd)}
        for key, place in noted[0].items()
        if key in everywhere
    ]


def _relative(place: str, cwd: str) -> str:
    return place.removeprefix(f"{cwd}/")


def _named(places: Sequence[dict[str, str]]) -> str:
    first = places[0]
    more = f" and {counted(len(places) - 1, 'other place')}" if len(places) > 1 else ""
    seed = "seeds" if len(places) == 1 else "seed"
    return f"{first['function']}({first['given']}) at {first['place']}{more} {seed} by itself"


NOT_OBSERVED = (
    "no Python process of the runs was observed: the hook is not installed in that Python, or "
    "SEED_INIT=0 is set",
    "run 'seed-init install' with that Python",
)
"""Why nothing follows SEED, and what to do."""


def _why(sweep: Sweep, runs: Sequence[Shown], places: Sequence[dict[str, str]]) -> tuple[str, str]:
    """Return why SEED may have no effect, and what to do."""
    contents = [run.row.content for run in runs if run.row is not None]
    if not any(content["observed"] for content in contents):
        return NOT_OBSERVED
    if places:
        return (
            _named(places),
            "SEED_INIT_RESEED=mix mixes that seed with SEED; or take the line out",
        )
    not_covered = list(dict.fromkeys(line for each in contents for line in each["not_covered"]))
    if not_covered:
        return not_covered[0], "seed-init audit -- CMD lists what SEED does not reach"
    return (
        "no line was seen that seeds by itself: nothing that was compared depends on a draw",
        "seed-init audit -- CMD lists the generators that the program uses",
    )


# --- one seed gives the same bits twice -------------------------------------------------------


def _repeats(sweep: Sweep, unequal: Unequal | None) -> dict[str, Any]:
    pair = sweep.repeated()
    if pair is None:
        return _as_repeats(UNPROVEN, None, "no seed was run twice (--no-repeat)")
    first, again = pair
    seed = first.task.seed
    if not (first.is_well and again.is_well):
        bad = again if first.is_well else first
        text = f"the run of {bad.task} {bad.problems[0]}"
        return _as_repeats(UNPROVEN, seed, text)
    is_trained = None not in (first.digest, again.digest)
    is_measured = bool(first.readings().keys() & again.readings().keys())
    compared = [TRAINING] * is_trained + [METRICS] * is_measured
    compared += [OUTPUT] * bool(unequal and unequal.lines)
    if _metrics_differ(first, again) or (is_trained and first.digest != again.digest):
        return _differing(sweep, first, again, compared)
    if first.readings().keys() != again.readings().keys():
        return _as_repeats(UNPROVEN, seed, _lacking(first, again), compared)
    if not compared:
        return _as_repeats(UNPROVEN, seed, "nothing was seen that could be compared")
    lines = _lines_that_differ(unequal)
    if lines and not is_trained:
        # These may be times.
        same = f"the metrics of seed {seed} are the same twice, and " if is_measured else ""
        return _as_repeats(UNPROVEN, seed, f"{same}{lines}; {LOOK_CLOSER}", compared)
    text = f"seed {seed} gave the same results twice, bit for bit ({' and '.join(compared)})"
    if lines:
        text = f"seed {seed} trained the same twice, bit for bit; {lines}"
    return _as_repeats(SAME, seed, text, compared)


LOOK_CLOSER = "seed-init verify -- CMD says whether these are times or results"


def _lines_that_differ(unequal: Unequal | None) -> str | None:
    if unequal is None or unequal.first is None:
        return None
    sides = " and ".join(
        "nothing" if line is None else repr(_shown(line)) for line in unequal.first
    )
    return f"{len(unequal.numbers)} of {unequal.lines} printed lines differ, the first: {sides}"


def _shown(line: str) -> str:
    return without_secrets(shown(line.rstrip("\n").encode(errors="replace"), WIDTH))


def _differing(sweep: Sweep, first: Shown, again: Shown, compared: Sequence[str]) -> dict[str, Any]:
    of_metrics = _noise(sweep, first, again)
    seed = first.task.seed
    parts = [f"seed {seed} did not give the same bits twice, so that the spread is partly noise"]
    told = [
        f"{name} was {each['first']:.6g} and {each['again']:.6g}"
        + (f", which is {_percent(each['share'])} of the variance" if each["share"] else "")
        for name, each in of_metrics.items()
        if each["first"] != each["again"]
    ]
    if told:
        parts.append(f"{'; '.join(told)} (from two runs: an order of magnitude)")
    elif of_metrics:
        parts.append("the metrics are the same all the same")
    difference, remedies = _where(sweep, first, again)
    result = _as_repeats(DIFFERS, seed, "; ".join(parts), compared)
    return {**result, "noise": of_metrics, "difference": difference, "remedies": remedies}


def _percent(share: float) -> str:
    if share >= 1:
        return "all"
    return "less than 1 %" if share < 0.01 else f"about {share:.0%}".replace("%", " %")


def _noise(sweep: Sweep, first: Shown, again: Shown) -> dict[str, dict[str, float | None]]:
    """Return each metric of two runs of one seed, and how much of the variance is between them."""
    told: dict[str, dict[str, float | None]] = {}
    for name in first.values:
        here, there = first.values[name].number, again.values[name].number
        if here is None or there is None:
            continue
        over = [
            number for run in sweep.of(plans.RUN) if (number := run.values[name].number) is not None
        ]
        estimate = noise(over, here, there)
        shares = {"sd": None, "share": None, "least": None}
        told[name] = {
            "first": here,
            "again": there,
            **(shares if estimate is None else estimate.to_json()),
        }
    return told


def _where(sweep: Sweep, first: Shown, again: Shown) -> tuple[str | None, list[dict[str, str]]]:
    """Return what of two runs differs first by their records, and known causes."""
    remedies = []
    if not any(run.row.content["observed"] for run in (first, again) if run.row is not None):
        cause, remedy = NOT_OBSERVED
        remedies.append({"cause": cause, "remedy": remedy})
    if "PYTHONHASHSEED" not in sweep.plan.environment:
        remedies.append(
            {
                "cause": "the order of sets of texts, because PYTHONHASHSEED is not set",
                "remedy": "PYTHONHASHSEED=0, as in the image; or sorted(...) over the set",
            }
        )
    look = {
        "cause": "something else than SEED gets into the results",
        "remedy": "seed-init verify -- CMD finds the step, the tensor and the line",
    }
    assert first.row is not None
    assert again.row is not None
    files = [run.directory / "record.json" for run in (first.row, again.row)]
    try:
        difference = comparison.compare(*files).difference
    except records.NotARecord:
        difference = None
    if difference is None:
        return None, [*remedies, look]
    known = causes.remedies(difference, None)
    return difference.first_observed, [*remedies, *known[:2], look]


def _as_repeats(
    verdict: str, seed: int | None, text: str, compared: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "seed": seed,
        "text": text,
        "compared": list(compared),
        "difference": None,
        "noise": {},
        "remedies": [],
    }


# --- no two runs write to one file ------------------------------------------------------------


def _shared_files(sweep: Sweep) -> dict[str, Any]:
    runs = [run for run in sweep.runs if run.row is not None]
    if not sweep.plan.records or not any(run.row.content["observed"] for run in runs if run.row):
        return {"verdict": UNPROVEN, "text": "written files were not observed", "files": []}
    cwd = Path(sweep.plan.cwd)
    # Copies of these are kept right after each run.
    copied = {str(cwd / file) for file in plans.one_for_all(sweep.plan)}
    writers: Counter[str] = Counter()
    for run in runs:
        assert run.row is not None
        writers.update(
            path
            for path in dict.fromkeys(run.row.content["wrote"])
            if Path(path).is_relative_to(cwd) and path not in copied
        )
    files = [
        {"path": _relative(path, sweep.plan.cwd), "runs": count}
        for path, count in writers.items()
        if count > 1
    ]
    if not files:
        return {"verdict": NONE, "text": "no two runs wrote to one file", "files": []}
    more = f" and {counted(len(files) - 1, 'other file')}" if len(files) > 1 else ""
    text = (
        f"{files[0]['runs']} runs wrote to {files[0]['path']}{more}: only what the last one wrote "
        "is left, and a run that reads it gets the results of another seed; write below {dir}, or "
        "to a name with {seed}"
    )
    return {"verdict": SOME, "text": text, "files": files[:100]}
