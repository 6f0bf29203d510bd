# SPDX-License-Identifier: Apache-2.0
"""The page about a sweep: what its runs say, its picture, its checks, and all of its runs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seed_init.proof.comparing.values import counted
from seed_init.proof.reporting.elements import document, row, table
from seed_init.proof.reporting.text import escaped
from seed_init.proof.sweeping import sentence
from seed_init.proof.sweeping.figures import Digits, digits_of, percent, seeds
from seed_init.proof.sweeping.picture import picture
from seed_init.proof.trace import schemas, sections, validation

Content = Mapping[str, Any]
"""What `sweep.json` has, or a part of it."""

SCHEMA = "sweep-1"

KIND = b'"sweep"'
"""What the file of a sweep has near its beginning, and no record."""

IN_SIGHT = 40
"""Runs whose table is not folded away."""

_MOST_PROBLEMS = 20

ADVICE = "give the sweep.json that seed-init sweep wrote"


class NotASweep(Exception):
    """A file is no sweep, or cannot be read. The text is one line for the user."""


def is_sweep(file: Path) -> bool:
    """Return whether a file says of itself that it is the result of a sweep."""
    try:
        with file.open("rb") as opened:
            return b'"kind":' in (begin := opened.read(200)) and KIND in begin
    except OSError:
        return False


def read(file: Path) -> dict[str, Any]:
    """Return what a sweep's file has, checked by its schema.

    Raises:
        NotASweep: it is none that can be read.
    """
    try:
        content: dict[str, Any] = validation.parsed(*validation.read(file))
        schemas.check(SCHEMA)(content)
    except OSError as error:
        raise NotASweep(f"cannot read {sections.named(file)}: {error.strerror}; {ADVICE}") from None
    except (validation.Invalid, schemas.Wrong) as error:
        raise NotASweep(f"{sections.named(file)} is no sweep: {error}; {ADVICE}") from None
    return content


def render(sweep: Content) -> str:
    """Return the page.

    Args:
        sweep: what `sweep.json` has.
    """
    parts = [
        _head(sweep),
        _picture(sweep),
        *(_metric(sweep, metric) for metric in sweep["metrics"]),
        _checks(sweep),
        _problems(sweep),
        _runs(sweep),
    ]
    return document(
        f"{escaped(sweep['name'])}: sweep",
        "".join(parts),
        "Written by seed-init report. How the numbers are found, and how often they are right: "
        "docs/why/sweep-statistics.md.",
    )


def in_words(sweep: Content) -> str:
    """Return how the runs ended, for the line that names the page."""
    runs = [run for run in sweep["runs"] if not run["again"]]
    well = sum(run["status"] == 0 for run in runs)
    return f"{well:,} of {counted(len(runs), 'run')}"


def _head(sweep: Content) -> str:
    rows = [("command", f"<code>{escaped(sentence.command(sweep['command']))}</code>")]
    if sweep["against"]:
        words = sentence.command(sweep["against"])
        rows.append(("against", f"<code>{escaped(words)}</code>"))
    rows.append(
        ("seeds", escaped(f"{seeds(sweep['seeds'])}: {counted(len(sweep['seeds']), 'seed')}"))
    )
    rows.append(("runs that ended well", escaped(in_words(sweep))))
    if sweep["code"]["commit"]:
        changed = ", with changes" if sweep["code"]["diff_sha256"] else ""
        rows.append(("commit", f"<code>{escaped(sweep['code']['commit'])}</code>{changed}"))
    told = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    return (
        f'<section class="verdict none"><h1>{escaped(sweep["name"])}</h1></section><dl>{told}</dl>'
        f"<h2>To write about it</h2><pre>{escaped(sweep['sentence'])}</pre>"
    )


def _picture(sweep: Content) -> str:
    if not any(found[sentence.RUN]["n"] for found in sweep["statistics"].values()):
        return ""
    return (
        '<h2>Picture</h2><div class="wide" tabindex="0" role="region" aria-label="picture">'
        f"{picture(sweep)}</div>"
    )


# --- a metric ------------------------------------------------------------------------------------

_STATISTICS = (
    *("n", "mean", "95 % interval", "found by", "standard deviation", "median"),
    *("interquartile mean", "smallest", "largest"),
)


def _metric(sweep: Content, metric: Content) -> str:
    found = sweep["statistics"][metric["name"]]
    better = f" ({metric['better']} is better)" if metric["better"] else ""
    arms = [arm for arm in (sentence.RUN, sentence.AGAINST) if found[arm]]
    columns = zip(_STATISTICS, *(_cells(found[arm]) for arm in arms))
    rows = [row(name, *map(escaped, cells)) for name, *cells in columns]
    parts = [
        f"<h2>{escaped(metric['name'])}{better}</h2>",
        f"<p class='faint'>read from <code>{escaped(metric['source'])}</code></p>",
        table(("", *arms), rows, "facts"),
    ]
    for arm in arms:
        if found[arm]["left_out"]:
            named = seeds(found[arm]["left_out"])
            parts.append(f"<p>{arm}: no finite number for SEED {escaped(named)}; left out.</p>")
    if found["difference"]:
        lines = "".join(
            f"<dt>{name}</dt><dd>{escaped(text)}</dd>"
            for name, text in _difference(found["difference"], metric)
        )
        parts.append(f"<h3>Difference: against minus run, paired by SEED</h3><dl>{lines}</dl>")
    return "".join(parts)


def _cells(found: Content) -> Iterator[str]:
    digits = digits_of(found)
    yield f"{found['n']:,}"
    yield digits(found["mean"])
    yield _interval(found, digits)
    yield found["interval_method"] or "-"
    yield from (digits(found[name]) for name in ("sd", "median", "iqm"))
    for end in ("minimum", "maximum"):
        extreme = found[end]
        yield f"{digits(extreme['value'])} (SEED {extreme['seed']})" if extreme else "-"


def _interval(found: Content, digits: Digits, signed: bool = False) -> str:
    if not found["interval"]:
        return "-"
    low, high = map(digits.signed if signed else digits, found["interval"])
    return f"{low} to {high}"


def _difference(found: Content, metric: Content) -> Iterator[tuple[str, str]]:
    if not found["n"]:
        yield "pairs", "no seed has a number in both"
        return
    digits = digits_of(found)
    yield "mean", digits.signed(found["mean"])
    if found["interval"]:
        yield "95 % interval", f"{_interval(found, digits, True)} ({found['interval_method']})"
    yield "test", sentence.flips_in_words(found)
    yield "pairs", sentence.wins_in_words(found, metric)
    if found["correlation"] is not None:
        yield "correlation", f"{found['correlation']:.2f}"
    if found["gain"] is not None:
        yield "unpaired", f"{found['gain']:.1f} times as many runs would say as much"
    if found["sd"]:
        pairs = counted(found["n"], "pair")
        smallest = found["smallest_effect"]
        yield (
            "could be shown",
            f"{digits(smallest)} or more, four times out of five, by {pairs}"
            if smallest is not None
            else f"nothing, however large, by {pairs}",
        )
    if found["more_seeds"]:
        more = counted(found["more_seeds"], "more seed")
        yield "to show one like this", f"{more}, if the true difference is the mean above"
    if found["unpaired"]:
        yield "left out", f"SEED {seeds(found['unpaired'])}, without a number in both"


# --- checks and runs -----------------------------------------------------------------------------

_GOOD = ("yes", "same", "none")
_OPEN = "unproven"


def _checks(sweep: Content) -> str:
    rows = [
        row(escaped(name), f"<b>{word}</b>: {escaped(text)}")
        for name, word, text in _check_rows(sweep["checks"])
    ]
    return "<h2>Checks</h2>" + table(("check", "what was seen"), rows, "facts")


def _check_rows(checks: Content) -> Iterator[tuple[str, str, str]]:
    for arm, effect in checks["seed_has_effect"].items():
        if effect:
            name = "SEED has an effect" + (f" ({arm})" if arm != sentence.RUN else "")
            more = [effect["text"], effect["why"], effect["remedy"]]
            yield name, _word(effect["verdict"]), ". ".join(text for text in more if text)
    repeats = checks["repeats"]
    more = [repeats["text"], repeats["difference"] or ""]
    more += [
        f"{name}: at least {percent(found['least'])} of the variance is noise (95 % confidence)"
        for name, found in repeats["noise"].items()
        if found["least"]
    ]
    more += [f"{each['cause']}: {each['remedy']}" for each in repeats["remedies"]]
    yield "one SEED gives one result", _word(repeats["verdict"]), ". ".join(filter(None, more))
    files = checks["shared_files"]
    yield "each run has its own files", _word(files["verdict"]), files["text"]


def _word(verdict: str) -> str:
    return "yes" if verdict in _GOOD else "not proven" if verdict == _OPEN else "no"


def _problems(sweep: Content) -> str:
    told = [(run, problem) for run in sweep["runs"] for problem in run["problems"]]
    if not told:
        return ""
    lines = [f"<li>{_run_name(run)}: {escaped(text)}</li>" for run, text in told[:_MOST_PROBLEMS]]
    if len(told) > _MOST_PROBLEMS:
        lines.append(f"<li>and {counted(len(told) - _MOST_PROBLEMS, 'more problem')}</li>")
    return f"<h2>Problems</h2><ul>{''.join(lines)}</ul>"


def _run_name(run: Content) -> str:
    return f"{run['arm']}, SEED {run['seed']}{', again' if run['again'] else ''}"


def _runs(sweep: Content) -> str:
    names = [metric["name"] for metric in sweep["metrics"]]
    head = ("run", "SEED", "exit status", "seconds", *map(escaped, names))
    drawn = table(head, (_run(run, names) for run in sweep["runs"]))
    count = counted(len(sweep["runs"]), "run")
    if len(sweep["runs"]) <= IN_SIGHT:
        return f"<h2>Each run</h2>{drawn}"
    return f"<h2>Each run</h2><details><summary>{count}</summary>{drawn}</details>"


def _run(run: Content, names: Sequence[str]) -> str:
    seed = f"{run['seed']}{' again' if run['again'] else ''}"
    status = "not run" if run["status"] is None else str(run["status"])
    seconds = "" if run["seconds"] is None else f"{run['seconds']:,.1f}"
    return row(run["arm"], seed, status, seconds, *(escaped(_value(run, name)) for name in names))


def _value(run: Content, name: str) -> str:
    value = run["metrics"].get(name)
    return str(run["not_finite"].get(name, "-")) if value is None else f"{value:.6g}"
