# SPDX-License-Identifier: Apache-2.0
"""The result of a sweep as lines of a terminal: a table of the runs, and what they say."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seed_init.cli.tables import table
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.sweeping import checks
from seed_init.proof.sweeping.figures import Digits, digits_of, percent
from seed_init.proof.sweeping.plan import AGAINST, RUN
from seed_init.proof.sweeping.sentence import flips_in_words, wins_in_words

Content = Mapping[str, Any]
"""What `sweep.json` has, or a part of it."""

MOST_ROWS = 40
"""Seeds of which each has a row. Of a larger sweep, only runs with a problem are shown."""

MOST_PROBLEMS = 10
"""How many problems are shown."""


def lacks_a_metric(run: Content) -> bool:
    """Return whether a run has ended well, and gave no number where it should have."""
    return run["status"] == 0 and any(
        value is None and name not in run["not_finite"] for name, value in run["metrics"].items()
    )


def as_lines(sweep: Content, file: str) -> list[str]:
    """Return a result, on one screen.

    Args:
        sweep: what `sweep.json` has.
        file: the path of that file.
    """
    lines = [_headline(sweep), ""]
    lines += [*_rows(sweep), ""]
    if problems := list(_problems(sweep)):
        lines += [*problems, ""]
    for metric in sweep["metrics"]:
        lines += [*_metric(sweep, metric), ""]
    lines += [*_checks(sweep), ""]
    return [*lines, *_end(sweep, file)]


def _headline(sweep: Content) -> str:
    against = f", against {_command(sweep['against'])}" if sweep["against"] else ""
    seeds = counted(len(sweep["seeds"]), "seed")
    return f"{sweep['name']}: {_command(sweep['command'])}{against}: {seeds}"


def _command(words: Sequence[str]) -> str:
    return " ".join(words_without_secrets(words))


def _rows(sweep: Content) -> list[str]:
    if len(sweep["seeds"]) > MOST_ROWS:
        runs = sweep["runs"]
        missing = sum(run["how"] is None for run in runs)
        failed = sum(run["status"] != 0 for run in runs) - missing
        told = [f"{counted(len(runs) - failed - missing, 'run')} ended well"]
        told += [f"{failed:,} failed"] * bool(failed) + [f"{missing:,} not run"] * bool(missing)
        return [", ".join(told)]
    arms = [RUN, AGAINST] if sweep["against"] else [RUN]
    head = ["seed"]
    for metric in sweep["metrics"]:
        head += [metric["name"], *(["against"] if sweep["against"] else [])]
    head += ["seconds", *(["against"] if sweep["against"] else [])]
    of = {(run["arm"], run["seed"], run["again"]): run for run in sweep["runs"]}
    rows = []
    for seed in sweep["seeds"]:
        for again in (False, True):
            runs = [of.get((arm, seed, again)) for arm in arms]
            if any(runs):
                name = f"{seed} again" if again else str(seed)
                cells = [_value(run, metric["name"]) for metric in sweep["metrics"] for run in runs]
                rows.append([name, *cells, *map(_seconds, runs)])
    return table([head, *rows])


def _value(run: Content | None, name: str) -> str:
    if run is None:
        return ""
    if run["status"] != 0:
        return "not run" if run["how"] is None else "failed"
    number = run["metrics"][name]
    return str(run["not_finite"].get(name, "none")) if number is None else f"{number:.6g}"


def _seconds(run: Content | None) -> str:
    if run is None or run["seconds"] is None:
        return ""
    return f"{run['seconds']:.1f}"


def _problems(sweep: Content) -> Iterator[str]:
    told = [(run, problem) for run in sweep["runs"] for problem in run["problems"]]
    for run, problem in told[:MOST_PROBLEMS]:
        arm = "" if run["arm"] == RUN else f" {run['arm']}"
        yield f"seed {run['seed']}{arm}{' again' if run['again'] else ''}: {problem}"
    if len(told) > MOST_PROBLEMS:
        yield f"... and {counted(len(told) - MOST_PROBLEMS, 'more problem')}"


def _metric(sweep: Content, metric: Content) -> Iterator[str]:
    found = sweep["statistics"][metric["name"]]
    better = f" ({metric['better']} is better)" if metric["better"] else ""
    yield f"{metric['name']}{better}"
    head = ["", "n", "mean", "95 % interval", "sd", "median", "iq mean", "min", "max"]
    rows = [_summary(arm, found[arm]) for arm in (RUN, AGAINST) if found[arm]]
    yield from (f"  {line}" for line in table([head, *rows]))
    not_finite = sum(metric["name"] in run["not_finite"] for run in sweep["runs"])
    if not_finite:
        yield f"  {counted(not_finite, 'run')} gave NaN or infinity, and {_is(not_finite)} left out"
    if found["difference"]:
        yield from (f"  {line}" for line in _difference(found["difference"], metric))


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _summary(arm: str, found: Content) -> list[str]:
    digits = digits_of(found)
    low, high = found["interval"] or (None, None)
    interval = f"{digits(low)} to {digits(high)}" if found["interval"] else "-"
    cells = [arm, str(found["n"]), digits(found["mean"]), interval, digits(found["sd"])]
    cells += [digits(found["median"]), digits(found["iqm"])]
    for end in ("minimum", "maximum"):
        extreme = found[end]
        cells.append(f"{digits(extreme['value'])} (seed {extreme['seed']})" if extreme else "-")
    return cells


def _difference(found: Content, metric: Content) -> Iterator[str]:
    if not found["n"]:
        yield "difference: no seed has a number in both"
        return
    digits = digits_of(found)
    mean = digits.signed(found["mean"])
    if not found["interval"]:
        yield f"difference (against - run): {mean} in one pair"
        return
    low, high = map(digits.signed, found["interval"])
    yield f"difference (against - run): mean {mean}, 95 % interval {low} to {high}"
    yield f"{flips_in_words(found)}; against is {wins_in_words(found, metric)}"
    if found["correlation"] is not None:
        yield f"correlation of the pairs {found['correlation']:.2f}{_gain(found['gain'])}"
    if found["sd"]:
        yield _power(found, digits)
    if found["unpaired"]:
        yield f"{counted(len(found['unpaired']), 'seed')} without a pair left out"


def _gain(gain: float | None) -> str:
    if gain is None:
        return ""
    if gain < 1.05:
        return ": pairing by seed did not help"
    return f": without pairing, {gain:.1f} times as many runs would say as much"


def _power(found: Content, digits: Digits) -> str:
    pairs = counted(found["n"], "pair")
    smallest = found["smallest_effect"]
    could = (
        f"{pairs} could show a difference of {digits(smallest)} four times out of five"
        if smallest is not None
        else f"{pairs} can show no difference, however large"
    )
    more = found["more_seeds"]
    if more is None:
        return could
    if more == 0:
        return f"{could}; this one needs no more seeds for that"
    return f"{could}; for one as large as this {counted(more, 'more seed')} would be needed"


def _checks(sweep: Content) -> Iterator[str]:
    found = sweep["checks"]
    for arm, effect in found["seed_has_effect"].items():
        if effect is None:
            continue
        of_arm = "" if arm == RUN else " (against)"
        mark = {checks.YES: "ok", checks.UNPROVEN: "not proven"}.get(effect["verdict"], "WRONG")
        yield f"SEED has an effect{of_arm}: {mark}: {effect['text']}"
        if effect["why"]:
            yield f"  because: {effect['why']}"
        if effect["remedy"]:
            yield f"  then: {effect['remedy']}"
    yield from _repeats(found["repeats"])
    if found["shared_files"]["verdict"] == checks.SOME:
        yield f"files: {found['shared_files']['text']}"


def _repeats(found: Content) -> Iterator[str]:
    mark = {checks.SAME: "ok", checks.UNPROVEN: "not proven"}.get(found["verdict"], "WRONG")
    yield f"one seed gives one result: {mark}: {found['text']}"
    for name, noise in found["noise"].items():
        if noise["least"]:
            least = percent(noise["least"])
            yield f"  {name}: with 95 % confidence, at least {least} of the variance is noise"
    if found["difference"]:
        yield f"  {found['difference']}"
    for remedy in found["remedies"]:
        yield f"  may be: {remedy['cause']}"
        yield f"    then: {remedy['remedy']}"


def _end(sweep: Content, file: str) -> list[str]:
    lines = []
    if not sweep["metrics"]:
        lines.append(
            "no metric was asked for; the same words with --metric read one from these runs"
        )
    return [*lines, f"result: {file}", sweep["sentence"]]
