# SPDX-License-Identifier: Apache-2.0
"""What a paper says of a sweep: what varied, how many runs there were, and which interval it is.

The sentence has no word for "there is an effect": it gives the difference, its interval and the
test, and a reader judges.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.sweeping.figures import Digits, percent, probability, seeds

Content = Mapping[str, Any]
"""What `sweep.json` has, or a part of it."""

RUN, AGAINST = "run", "against"


def sentence(sweep: Content) -> str:
    """Return what to write about a sweep.

    Args:
        sweep: what `sweep.json` has; its `sentence` is not read.
    """
    parts = [_what_varied(sweep)]
    for metric in sweep["metrics"]:
        of_metric = sweep["statistics"].get(metric["name"])
        if of_metric:
            parts += _of_metric(sweep, metric, of_metric)
    parts += _failed(sweep)
    return " ".join(f"{part}." for part in parts)


def command(words: Sequence[str]) -> str:
    """Return a command as a sentence has it, without secrets."""
    return " ".join(words_without_secrets(words))


def _what_varied(sweep: Content) -> str:
    varied = _VARIED.get(_verdict(sweep), "SEED was the only thing that varied")
    text = f"{command(sweep['command'])} was run once for each SEED of {seeds(sweep['seeds'])}"
    if sweep.get("against"):
        text += f", and so was {command(sweep['against'])}"
    return f"{text}: {varied}{_repeated(sweep)}"


_VARIED = {
    "yes": "all random numbers came from SEED, which was the only thing that varied",
    "partly": "SEED was the only thing that varied, and some random numbers did not come from it",
    "no": "SEED was the only thing that varied, and it has no effect on this program",
}
"""The verdict of the check whether SEED has an effect, to what varied."""


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
    for arm in (RUN, AGAINST):
        found = of_metric.get(arm)
        if found and found["n"]:
            of_arm = f" of {command(sweep[arm])}" if arm == AGAINST else ""
            yield f"{_capital(name)}{of_arm}: {arm_in_words(found)}{_noise(sweep, arm, name)}"
    difference = of_metric.get("difference")
    if difference and difference["n"]:
        yield f"Difference in {name}, paired by SEED: {difference_in_words(difference, metric)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _noise(sweep: Content, arm: str, name: str) -> str:
    """Return how much of the variance is none of the seed's."""
    repeats = (sweep.get("checks") or {}).get("repeats") or {}
    found = (repeats.get("noise") or {}).get(name) or {}
    if arm != RUN or not found.get("share"):
        return ""
    least = f" (at least {percent(found['least'])})" if found.get("least") else ""
    return (
        f"; about {percent(found['share'])}{least} of the variance is there with one SEED as well"
    )


def arm_in_words(found: Content) -> str:
    """Return mean, interval and spread of one arm."""
    digits = Digits((found["mean"],), found["sd"])
    if found["n"] == 1:
        return f"{digits(found['mean'])} in one run"
    if found["minimum"]["value"] == found["maximum"]["value"]:
        return f"{digits(found['mean'])} in each of {found['n']:,} runs"
    low, high = found["interval"]
    return (
        f"mean {digits(found['mean'])}, {INTERVAL} {digits(low)} to {digits(high)}, "
        f"standard deviation {digits(found['sd'])}, n = {found['n']:,}"
    )


INTERVAL = "95 % bootstrap interval (BCa)"


def difference_in_words(found: Content, metric: Content) -> str:
    """Return the difference, its interval, and the test.

    Args:
        found: `difference` of a metric with at least one pair.
        metric: with its name, and what is better.
    """
    digits = Digits((found["mean"],), found["sd"])
    if found["n"] == 1:
        return f"{digits.signed(found['mean'])} in one pair"
    low, high = found["interval"]
    return (
        f"mean {digits.signed(found['mean'])}, {INTERVAL} {digits.signed(low)} to "
        f"{digits.signed(high)}, {flips_in_words(found)}, {wins_in_words(found, metric)}"
    )


def flips_in_words(found: Content) -> str:
    """Return which test it was, and its p."""
    p = probability(found["p"], found["error"])
    if found["error"]:
        error = f"standard error {found['error']:.1g}"
        return f"sign-flip test with {found['flips'] - 1:,} random flips p = {p} ({error})"
    return f"exact sign-flip test p = {p}"


def wins_in_words(found: Content, metric: Content) -> str:
    """Return in how many pairs the other arm is better, or larger where nothing says so."""
    word = "better" if metric.get("better") else "larger"
    text = f"{word} in {round(found['wins'] * found['n']):,} of {found['n']:,} pairs"
    equal = round(found["ties"] * found["n"])
    return f"{text} and equal in {equal:,}" if equal else text


def _failed(sweep: Content) -> Iterator[str]:
    runs = [run for run in sweep["runs"] if not run.get("again")]
    failed = [run for run in runs if run["status"] != 0]
    if failed:
        have = "has" if len(failed) == 1 else "have"
        yield f"{len(failed):,} of {len(runs):,} runs {have} failed, and {have} no part in this"
    for metric in sweep["metrics"]:
        name = metric["name"]
        lost = [run for run in runs if run["status"] == 0 and run["metrics"].get(name) is None]
        if lost:
            have = "has" if len(lost) == 1 else "have"
            yield f"{len(lost):,} of {len(runs):,} runs {have} no finite {name}, and no part in it"
