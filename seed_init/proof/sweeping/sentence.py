# SPDX-License-Identifier: Apache-2.0
"""What a paper says of a sweep: what varied, how many runs there were, and which interval it is.

The sentence has no word for "there is an effect": it gives the difference, its interval and the
test, and a reader judges.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.statistics.bootstrap import BCA, RESAMPLES, STUDENT
from seed_init.proof.sweeping.figures import digits_of, percent, probability, seeds

Content = Mapping[str, Any]
"""What `sweep.json` has, or a part of it."""

RUN, AGAINST = "run", "against"


def sentence(sweep: Content) -> str:
    """Return what to write about a sweep.

    Args:
        sweep: what `sweep.json` has; its `sentence` is not read.
    """
    parts = [_what_varied(sweep)]
    told = [
        (metric, sweep["statistics"][metric["name"]])
        for metric in sweep["metrics"]
        if metric["name"] in sweep["statistics"]
    ]
    for metric, of_metric in told:
        parts += _of_metric(sweep, metric, of_metric)
    parts += _brackets([of_metric for _, of_metric in told])
    parts += _failed(sweep)
    return " ".join(f"{part}." for part in parts)


def command(words: Sequence[str]) -> str:
    """Return a command as a sentence has it, without secrets."""
    return " ".join(words_without_secrets(words))


def _what_varied(sweep: Content) -> str:
    of = f"once for each SEED of {seeds(sweep['seeds'])}"
    if len(sweep["seeds"]) == 1:
        of = f"with SEED {sweep['seeds'][0]}"
    who = command(sweep["command"])
    ran = f"{who} and {command(sweep['against'])} were" if sweep.get("against") else f"{who} was"
    effect = _EFFECT.get(_verdict(sweep), "")
    return f"{ran} run {of}, the only setting that varied{effect}{_repeated(sweep)}"


_EFFECT = {
    "partly": " (but some seeds gave the same results, bit for bit)",
    "no": " (but SEED has no effect: the results are the same, bit for bit)",
}
"""The verdict of the check whether SEED has an effect, to what a reader must know of it."""


def _verdict(sweep: Content) -> str:
    """Return the weaker verdict of both arms: whether SEED has an effect."""
    of_arms = (sweep.get("checks") or {}).get("seed_has_effect") or {}
    verdicts = [of_arm["verdict"] for of_arm in of_arms.values() if of_arm]
    return (
        next((each for each in ("no", "partly", "unproven") if each in verdicts), "yes")
        if (verdicts)
        else "unproven"
    )


def _repeated(sweep: Content) -> str:
    repeats = (sweep.get("checks") or {}).get("repeats") or {}
    if repeats.get("verdict") == "same":
        return ", and a repeated run gave the same bits"
    if repeats.get("verdict") == "differs":
        return ", but a repeated run gave other bits"
    return ""


def _of_metric(sweep: Content, metric: Content, of_metric: Content) -> Iterator[str]:
    name = metric["name"]
    parts = []
    for arm in (RUN, AGAINST):
        found = of_metric.get(arm)
        if found and found["n"]:
            of_arm = f"with {command(sweep[arm])} " if arm == AGAINST else ""
            parts.append(f"{of_arm}{arm_in_words(found)}{_noise(sweep, arm, name)}")
    difference = of_metric.get("difference")
    if difference and difference["n"]:
        parts.append(f"difference, paired by SEED, {difference_in_words(difference, metric)}")
    if parts:
        yield f"{_capital(name)}: {'; '.join(parts)}"


def _brackets(statistics: Sequence[Content]) -> Iterator[str]:
    """Say which intervals are in brackets."""
    methods = dict.fromkeys(
        found["interval_method"]
        for of_metric in statistics
        for found in of_metric.values()
        if found and found.get("interval")
    )
    if methods:
        ways = " and, of fewer than six values, ".join(
            _METHODS[each] for each in sorted(methods, key=list(_METHODS).index)
        )
        yield f"Brackets are 95 % intervals of the mean, by {ways}"


_METHODS = {
    BCA: f"the bootstrap (BCa, {RESAMPLES:,} resamples, expanded for few runs)",
    STUDENT: "Student's t",
}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _noise(sweep: Content, arm: str, name: str) -> str:
    """Return how much of the variance is none of the seed's."""
    repeats = (sweep.get("checks") or {}).get("repeats") or {}
    found = (repeats.get("noise") or {}).get(name) or {}
    if arm != RUN or not found.get("share"):
        return ""
    least = f" (at least {percent(found['least'])})" if found.get("least") else ""
    return f", about {percent(found['share'])}{least} of the variance being noise"


def arm_in_words(found: Content) -> str:
    """Return mean, interval and spread of one arm."""
    digits = digits_of(found)
    if found["n"] == 1:
        return f"{digits(found['mean'])} in one run"
    if found["minimum"]["value"] == found["maximum"]["value"]:
        return f"{digits(found['mean'])} in each of {found['n']:,} runs"
    return (
        f"mean {digits(found['mean'])}{_in_brackets(found, digits)}, n = {found['n']:,}, "
        f"standard deviation {digits(found['sd'])}"
    )


def difference_in_words(found: Content, metric: Content) -> str:
    """Return the difference, its interval, and the test.

    Args:
        found: `difference` of a metric with at least one pair.
        metric: with its name, and what is better.
    """
    digits = digits_of(found)
    if found["n"] == 1:
        return f"{digits.signed(found['mean'])} in one pair"
    interval = _in_brackets(found, digits.signed)
    return (
        f"mean {digits.signed(found['mean'])}{interval}, {flips_in_words(found)}, "
        f"{wins_in_words(found, metric)}"
    )


def _in_brackets(found: Content, shown: Callable[[float | None], str]) -> str:
    ends = found["interval"]
    return f" [{', '.join(map(shown, ends))}]" if ends else ""


def flips_in_words(found: Content) -> str:
    """Return which test it was, and its p."""
    if not found["error"]:
        return f"exact sign-flip test p = {p_in_words(found)}"
    drawn = found["flips"] - 1
    if found["p"] * found["flips"] < 1.5:
        # The differences as they are, and no other flip.
        return f"sign-flip test p = {1 / drawn:.5f} (no flip of {drawn:,} random ones goes as far)"
    error = f"standard error {found['error']:.1g} by {drawn:,} random flips"
    return f"sign-flip test p = {p_in_words(found)} ({error})"


def p_in_words(found: Content) -> str:
    """Return the p of a test."""
    return probability(found["p"], found["error"])


def wins_in_words(found: Content, metric: Content) -> str:
    """Return in how many pairs the other arm is better, or larger where nothing says so."""
    word = "better" if metric.get("better") else "larger"
    text = f"{word} in {round(found['wins'] * found['n']):,} of {found['n']:,} pairs"
    equal = round(found["ties"] * found["n"])
    return f"{text} and equal in {equal:,}" if equal else text


def _failed(sweep: Content) -> Iterator[str]:
    runs = [run for run in sweep["runs"] if not run.get("again")]
    bad = [run for run in runs if run["status"] != 0]
    missing = [run for run in bad if run["how"] is None]
    for count, what in ((len(bad) - len(missing), "failed"), (len(missing), "not run yet")):
        have = "has" if count == 1 else "have"
        if count:
            yield f"{count:,} of {len(runs):,} runs {have} {what}, and {have} no part in this"
    for metric in sweep["metrics"]:
        name = metric["name"]
        lost = [run for run in runs if run["status"] == 0 and run["metrics"].get(name) is None]
        if lost:
            have = "has" if len(lost) == 1 else "have"
            yield f"{len(lost):,} of {len(runs):,} runs {have} no finite {name}, and no part in it"
