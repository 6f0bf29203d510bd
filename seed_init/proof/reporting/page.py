# SPDX-License-Identifier: Apache-2.0
"""The page: a report as one HTML file that fetches nothing and runs nothing.

Whatever a record says is the user's: each text passes `escaped`.
"""

from collections.abc import Sequence
from itertools import groupby

from seed_init.proof.comparing.values import counted
from seed_init.proof.reporting import charts
from seed_init.proof.reporting.elements import document, row, table
from seed_init.proof.reporting.model import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    UNPROVEN,
    Chart,
    DifferenceView,
    EnvironmentRow,
    FindingView,
    Report,
    Strip,
    Verdict,
)
from seed_init.proof.reporting.text import escaped

_POINTS = 40_000
"""Of all curves of a page together, about 10 bytes each: it stays far below 1 MB."""

_MOST_STRIPS = 8  # in sight; the others, of ranks that are all equal, are folded away

_DRAWN = 100
"""Strips, and as many charts, that are drawn at all. A job may have thousands of ranks."""

_RECTANGLES = 3_000
"""Of all strips together."""

_ROWS = 300
"""Of a section of the environment, or of one kind of finding. A job may read a million files."""

_LONGEST = 2_000
"""Characters of a value that is shown."""

_CONTEXT = 100
"""Characters before the first difference of two values that are longer."""

_SIGNS = {
    IDENTICAL: "M4 11l5 5L20 5",
    DIFFERENT: "M5 5l14 14M19 5L5 19",
    FAILED: "M12 4v10M12 18v2",
    UNPROVEN: "M12 4v10M12 18v2",
}
_NO_SIGN = "M5 12h14"


def render(report: Report) -> str:
    """The page.

    Returns:
        HTML that any encoding of Unicode can hold.
    """
    parts = [
        _verdict(report),
        _differences(report.differences),
        _steps(report.strips),
        _losses(report),
        _environment(report),
        _audit(report),
    ]
    return document(
        escaped(_capital(report.verdict.word)),
        "".join(parts),
        "Written by seed-init report. “First observed” is where the runs were seen to "
        "part, which is not always the cause.",
    )


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


# --- the verdict ------------------------------------------------------------------------


def _verdict(report: Report) -> str:
    verdict = report.verdict
    kind = verdict.word if verdict.word in _SIGNS else "none"
    sign = _SIGNS.get(verdict.word, _NO_SIGN)
    return (
        f'<section class="verdict {kind}"><h1><svg viewBox="0 0 24 24" aria-hidden="true">'
        f'<path d="{sign}"/></svg><span>{escaped(_capital(verdict.word))}</span></h1>'
        f"<p>{escaped(verdict.sentence)}</p></section>"
        f"{_runs(report)}{_coverage(verdict)}{_arms(verdict, 'Runs of this verification')}"
        + "".join(
            f"<h3>{escaped(name)}: verification</h3><p><b>{escaped(own.word)}</b>: "
            f"{escaped(own.sentence)}</p>{_arms(own, f'Runs of {name}')}"
            for name, own in report.own_verdicts
        )
    )


def _runs(report: Report) -> str:
    names = list(dict.fromkeys(name for run in report.runs for name, _ in run.facts))
    rows = [row("file", *(f"<code>{escaped(run.file)}</code>" for run in report.runs))]
    for name in names:
        values = [dict(run.facts).get(name) for run in report.runs]
        rows.append(row(escaped(name), *_values(values)))
    several = len(report.runs) > 1
    head = ["", *(escaped(run.name) for run in report.runs)] if several else ["", "value"]
    title = "Records" if several else "Record"
    return f"<h2>{title}</h2>" + table(head, rows, "facts")


def _values(values: Sequence[str | None]) -> list[str]:
    """Return the cells of a row. Of too long values, a part by which the values differ is shown."""
    known = {value for value in values if value is not None}
    alike = 0
    if len({value[:_LONGEST] for value in known}) < len(known):
        pairs = enumerate(zip(*known))
        alike = next((index for index, chars in pairs if len(set(chars)) > 1), _LONGEST)
    return [_value(value, max(0, alike - _CONTEXT)) for value in values]


def _value(value: str | None, begin: int) -> str:
    if value is None:
        return '<span class="faint">none</span>'
    shown = value[begin : begin + _LONGEST]
    left = len(value) - begin - len(shown)
    before = f"{counted(begin, 'character')} and then …" if begin else ""
    after = f"… and {counted(left, 'character')} more" if left else ""
    return escaped(f"{before}{shown}{after}")


def _coverage(verdict: Verdict) -> str:
    parts = []
    if verdict.compared:
        rows = "".join(
            f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in verdict.compared
        )
        parts.append(f"<div><h3>What was compared</h3><dl>{rows}</dl></div>")
    if verdict.not_compared:
        lines = "".join(f"<li>{escaped(line)}</li>" for line in verdict.not_compared)
        parts.append(f"<div><h3>What could not be compared</h3><ul>{lines}</ul></div>")
    return f'<div class="pair">{"".join(parts)}</div>' if parts else ""


def _arms(verdict: Verdict, caption: str) -> str:
    if not verdict.arms:
        return ""
    rows = (row(*(escaped(cell) for cell in arm)) for arm in verdict.arms)
    return table(("run", "changed", "outcome"), rows, "", escaped(caption))


# --- the first difference ---------------------------------------------------------------


def _differences(differences: Sequence[DifferenceView]) -> str:
    if not differences:
        return ""
    several = len(differences) > 1
    heading = "First differences" if several else "First difference"
    return f"<h2>{heading}</h2>" + "<hr>".join(map(_difference, differences))


def _difference(difference: DifferenceView) -> str:
    parts = [f"<p><b>{escaped(_capital(difference.first_observed))}</b></p>"]
    if difference.where:
        rows = "".join(
            f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in difference.where
        )
        parts.append(f"<dl>{rows}</dl>")
    if difference.source:
        source, line = difference.source
        parts.append(f"<h3>The line that led there: <code>{escaped(source)}</code></h3>")
        if line:
            parts.append(f"<pre><code>{escaped(line)}</code></pre>")
    if difference.values:
        values = (
            row(escaped(name), f"<code>{escaped(value)}</code>")
            for name, value in difference.values
        )
        parts.append(table(("run", "value"), values, "facts", "What each run had"))
    if difference.trail:
        lines = "".join(f"<li>{escaped(line)}</li>" for line in difference.trail)
        parts.append(f"<h3>From coarse to fine</h3><ol>{lines}</ol>")
    if difference.remedies:
        advice = (row(escaped(cause), escaped(remedy)) for cause, remedy in difference.remedies)
        parts.append("<h3>What to do</h3>" + table(("known cause", "remedy"), advice))
    return f"<section>{''.join(parts)}</section>"


# --- steps and losses -------------------------------------------------------------------

_KEY = (
    '<ul class="legend" aria-hidden="true">'
    + "".join(
        f'<li><svg class="swatch" viewBox="0 0 12 12"><rect class="{state}" y="{top}" width="12"'
        f' height="{12 - top}"/></svg>{words}</li>'
        for state, top, words in (
            ("same", 5, "equal"),
            ("differs", 0, "different"),
            ("absent", 0, "in one run only"),
            ("unknown", 8, "not compared"),
        )
    )
    + "</ul>"
)


def _steps(strips: Sequence[Strip]) -> str:
    heading = "<h2>Steps</h2>"
    if not strips:
        return f"{heading}<p>No training steps were seen.</p>"
    steps = max(len(strip.steps) for strip in strips)
    # Those that differ first, but what is shown stays in the order of ranks.
    by_weight = sorted(range(len(strips)), key=lambda index: strips[index].first is None)
    parted = sum(strip.first is not None for strip in strips)
    in_sight = min(_DRAWN, max(parted, _MOST_STRIPS))
    shown = [strips[index] for index in sorted(by_weight[:in_sight])]
    folded = [strips[index] for index in sorted(by_weight[in_sight:_DRAWN])]
    left = [strips[index] for index in by_weight[_DRAWN:]]
    bins = max(30, min(charts.MOST_BINS, _RECTANGLES // min(len(strips), _DRAWN)))
    more = ""
    if folded:
        summary = counted(len(folded), "more strip")
        more = f"<details><summary>{summary}</summary>{_strips(folded, bins)}</details>"
    if left:
        count = sum(strip.first is not None for strip in left)
        more += f"<p>{counted(len(left), 'more strip')}, not drawn: {count:,} of them differ.</p>"
    note = ""
    if steps > bins:
        note = (
            f'<p class="faint">Steps are drawn in {bins} bins; a bin is red if any step in it '
            "differs.</p>"
        )
    return f"{heading}{note}{_KEY}{_strips(shown, bins)}{more}"


def _strips(strips: Sequence[Strip], bins: int) -> str:
    items = "".join(
        f"<li><b>{escaped(strip.label)}</b>{charts.strip_chart(strip, bins)}"
        f'<span class="faint">{escaped(charts.in_words(strip))}</span></li>'
        for strip in strips
    )
    return f'<ul class="strips">{items}</ul>'


def _losses(report: Report) -> str:
    heading = "<h2>Loss</h2>"
    if not report.charts:
        why = "No loss was seen" if report.strips else "No training steps were seen"
        return f"{heading}<p>{why}.</p>"
    curves = sum(len(chart.curves) for chart in report.charts)
    columns = max(20, min(500, _POINTS // (4 * min(curves, 3 * _DRAWN))))
    names = [run.name for run in report.runs]

    def drawn(chart: Chart) -> str:
        return charts.line_chart(chart, names, columns) + _in_numbers(chart, names)

    in_sight = [chart for chart in report.charts if chart.prominent][:_DRAWN]
    others = [chart for chart in report.charts if not chart.prominent][: _DRAWN - len(in_sight)]
    parts = [drawn(chart) for chart in in_sight]
    if others:
        folded = "".join(drawn(chart) for chart in others)
        summary = counted(len(others), "more chart")
        parts.append(f"<details><summary>{summary}</summary>{folded}</details>")
    left = len(report.charts) - len(in_sight) - len(others)
    if left:
        parts.append(f"<p>{counted(left, 'more chart')}: not drawn; --json has all values.</p>")
    return heading + "".join(parts)


def _in_numbers(chart: Chart, names: Sequence[str]) -> str:
    """The text alternative of curves: some of their points."""
    steps = sorted({step for curve in chart.curves for step, _ in curve.points})
    if len(steps) > 10:
        chosen = {steps[index * (len(steps) - 1) // 9] for index in range(10)}
        if chart.mark:
            near = (chart.mark.step + offset for offset in (-1, 0, 1))
            chosen |= {step for step in near if step in set(steps)}
        steps = sorted(chosen)
    values = [dict(curve.points) for curve in chart.curves]
    rows = (
        row(f"{step:,}", *(repr(value[step]) if step in value else "none" for value in values))
        for step in steps
    )
    head = ("step", *(escaped(names[curve.run]) for curve in chart.curves))
    summary = f"<summary>{escaped(chart.title)} in numbers</summary>"
    return f"<details>{summary}{table(head, rows)}</details>"


# --- the environment and the audit ------------------------------------------------------


_FIRST = ("settings", "flags changed later", "torch", "cpu", "gpu", "image")
"""Sections that are in sight where there is one record, and nothing differs."""


def _environment(report: Report) -> str:
    if not report.environment:
        return "<h2>Environment</h2><p>The records say nothing about it.</p>"
    parts = ["<h2>Environment</h2>"]
    names = [escaped(run.name) for run in report.runs]
    differing = [fact for fact in report.environment if fact.differs]
    equal = [fact for fact in report.environment if not fact.differs]
    if len(names) == 1:
        names = ["value"]
        parts.append(_facts([fact for fact in equal if fact.section in _FIRST], names, ""))
        for section, group in groupby(equal, key=lambda fact: fact.section):
            if section not in _FIRST:
                facts = list(group)
                parts.append(
                    f"<details><summary>{escaped(section)}: {counted(len(facts), 'row')}</summary>"
                    f"{_facts(facts, names, '')}</details>"
                )
        return "".join(parts)
    if differing:
        caption = f"{len(differing)} of {len(report.environment)} rows differ"
        parts.append(_facts(differing, names, "differing", caption))
    else:
        parts.append(f"<p>All {len(equal)} rows are equal.</p>")
    if equal:
        parts.append(
            f"<details><summary>Equal in all records: {len(equal)}</summary>"
            f"{_facts(equal, names[:1], '', head='all records')}</details>"
        )
    return "".join(parts)


def _facts(
    facts: Sequence[EnvironmentRow],
    names: Sequence[str],
    style: str,
    caption: str = "",
    head: str = "",
) -> str:
    columns = [head] if head else list(names)
    rows = []
    for section, group in groupby(facts, key=lambda fact: fact.section):
        rows.append(_across(escaped(section), len(columns) + 1))
        all_facts = list(group)
        for fact in all_facts[:_ROWS]:
            rows.append(row(escaped(fact.name), *_values(fact.values[: len(columns)])))
        if len(all_facts) > _ROWS:
            rows.append(row(f"and {len(all_facts) - _ROWS:,} more", *["see --json"] * len(columns)))
    return table(["", *columns], rows, f"facts {style}".strip(), caption)


def _across(title: str, columns: int) -> str:
    """Return a row that is the heading of the rows below."""
    return (
        f'<tr role="row" class="section"><th role="rowheader" scope="rowgroup"'
        f' colspan="{columns}">{title}</th></tr>'
    )


def _audit(report: Report) -> str:
    heading = "<h2>Audit</h2>"
    if not report.audited:
        return (
            f"{heading}<p>No audit was made of these runs: seed-init record --audit makes one.</p>"
        )
    if not report.findings:
        return f"{heading}<p>Nothing was found.</p>"
    several = len(report.runs) > 1
    parts = [heading]
    by_kind = sorted(report.findings, key=lambda finding: (finding.kind, finding.run))
    for kind, group in groupby(by_kind, key=lambda finding: finding.kind):
        findings = list(group)
        rows = [_finding(finding, report, several) for finding in findings[:_ROWS]]
        if len(findings) > _ROWS:
            more = f"and {len(findings) - _ROWS:,} more places, see --json"
            rows.append(_across(more, 3 + several))
        run = ("record",) if several else ()
        parts.append(
            table(("place", "what", *run, "times"), rows, "", f"{escaped(kind)}: {len(findings)}")
        )
    return "".join(parts)


def _finding(finding: FindingView, report: Report, several: bool) -> str:
    source = f"<br><code>{escaped(finding.source)}</code>" if finding.source else ""
    run = [f'<td role="cell">{escaped(report.runs[finding.run].name)}</td>'] if several else []
    cells = (
        f'<th role="rowheader" scope="row"><code>{escaped(finding.place)}</code></th>',
        f'<td role="cell">{escaped(finding.text)}{source}</td>',
        *run,
        f'<td role="cell" class="number">{finding.count:,}</td>',
    )
    return f'<tr role="row">{"".join(cells)}</tr>'
