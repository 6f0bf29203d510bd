# SPDX-License-Identifier: Apache-2.0
"""From records to what a report shows. No other file here knows a record's layout.

Several records are compared with the first one, step by step. A single record shows the verdict
that it holds, if it was made by a verification.
"""

import json
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from seed_init.proof.comparing import align
from seed_init.proof.redaction import redaction
from seed_init.proof.reporting import steps
from seed_init.proof.reporting.model import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    ONE_RUN,
    UNPROVEN,
    Chart,
    Curve,
    Difference,
    Fact,
    Finding,
    Mark,
    Report,
    Run,
    Step,
    Strip,
    Verdict,
)
from seed_init.proof.reporting.steps import Place, Trace, Unequal
from seed_init.proof.reporting.wording import counted, told_apart
from seed_init.proof.trace import records
from seed_init.proof.trace.journal import Process

_DISTANCE_FLOOR = 1e-300  # below, a distance is drawn as none: a logarithmic axis ends somewhere


Ends = dict[tuple[int, tuple[str, ...], int], Mapping[str, Any]]
"""Rank, path and turn of each process that ended -> its last event."""


@dataclass
class Loaded:
    """A record, as it was read.

    Attributes:
        name: of it in this report.
        file: its path as given.
        content: the record.
        processes: its processes.
        traces: its steps.
        ends: what its processes left.
    """

    name: str
    file: str
    content: Mapping[str, Any]
    processes: list[Process]
    traces: dict[Place, Trace]
    ends: Ends
    failed: bool  # an instrument did, of this run or of the verification that it was one of


def report(files: Sequence[Path]) -> Report:
    """What the page about some records shows.

    Args:
        files: at least one record.

    Raises:
        records.NotARecord: one of them is none; the text is one line for the user.
    """
    loaded = [_load(file, name) for file, name in zip(files, _names(files))]
    places = list(dict.fromkeys(place for each in loaded for place in each.traces))
    names = steps.labels(places)
    comparisons = [_Comparison(loaded[0], other, names) for other in loaded[1:]]
    verdicts = [_own_verdict(each) for each in loaded]
    together = verdicts[0] is not None and all(
        each.content.get("verdict") == loaded[0].content["verdict"] for each in loaded
    )
    if comparisons:
        verdict = _verdict(loaded, comparisons)
        strips = [strip for each in comparisons for strip in each.strips(len(comparisons) > 1)]
        differences = [found for each in comparisons if (found := each.difference())]
        if together:
            # It has looked closer than two records can be compared.
            differences = _differences_of_one(loaded[0]) or differences
    else:
        verdict = verdicts[0] or _no_verdict(loaded[0])
        strips = list(_strips_of_one(loaded[0], names))
        differences = _differences_of_one(loaded[0])
    return Report(
        verdict=verdict,
        runs=tuple(Run(each.name, each.file, _facts(each)) for each in loaded),
        environment=tuple(_environment(loaded)),
        charts=tuple(_charts(loaded, names, comparisons)),
        strips=tuple(strips),
        differences=tuple(differences),
        findings=tuple(_findings(loaded)),
        audited=any(_audit(each) is not None for each in loaded),
        own_verdicts=tuple(
            ("All records" if together else each.name, own)
            for each, own in zip(loaded[:1] if together else loaded, verdicts)
            if own and comparisons
        ),
    )


def _names(files: Sequence[Path]) -> list[str]:
    """What the page calls the records: letters, with as much of the path as tells them apart."""
    if len(files) == 1:
        return [files[0].name]
    parts = 1
    while parts < 4 and len({file.parts[-parts:] for file in files}) < len(files):
        parts += 1
    return [f"{_letter(i)} ({'/'.join(file.parts[-parts:])})" for i, file in enumerate(files)]


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


# --- several records --------------------------------------------------------------------


class _Comparison:
    """A record beside the first one.

    Attributes:
        base: the first one.
        other: the one that is compared with it.
        names: what a reader calls each place.
        differing: place -> the calls whose steps differ, with what differs.
        absent: place -> the calls that one of the two does not have, with its name.
    """

    def __init__(self, base: Loaded, other: Loaded, names: dict[Place, str]) -> None:
        self.base, self.other, self.names = base, other, names
        self.differing: dict[Place, dict[int, list[Unequal]]] = {}
        self.absent: dict[Place, dict[int, str]] = {}
        for place in names:
            one, two = self._steps(place)
            both = sorted(one.keys() & two.keys())
            found = {call: steps.unequal(one[call], two[call]) for call in both}
            self.differing[place] = {call: what for call, what in found.items() if what}
            self.absent[place] = {
                call: base.name if call in one else other.name for call in one.keys() ^ two.keys()
            }

    def _steps(self, place: Place) -> "tuple[dict[int, steps.Seen], dict[int, steps.Seen]]":
        none = Trace()
        return (
            self.base.traces.get(place, none).steps,
            self.other.traces.get(place, none).steps,
        )

    def first(self, place: Place) -> int | None:
        """The first call of a place whose steps are not equal."""
        return min((*self.differing[place], *self.absent[place]), default=None)

    def strips(self, several: bool) -> Iterator[Strip]:
        """A strip for each place.

        Args:
            several: name the records, because others are compared too.
        """
        for place, name in self.names.items():
            one, two = self._steps(place)
            shown = [self._step(place, call) for call in sorted(one.keys() | two.keys())]
            first = next((i for i, step in enumerate(shown) if step.state != "same"), None)
            label = f"{name}, {self.base.name} and {self.other.name}" if several else name
            if shown:
                yield Strip(label, tuple(shown), first)

    def _step(self, place: Place, call: int) -> Step:
        if call in self.absent[place]:
            return Step(call, "absent", f"only in {self.absent[place][call]}")
        what = self.differing[place].get(call)
        if what:
            return Step(call, "differs", ", ".join(each.words for each in what))
        return Step(call, "same")

    def earliest(self) -> tuple[Place, int] | None:
        """The place and the call of the first step that is not equal.

        Of several ranks the one with the lowest number; of several optimizers of one process the
        one that made its step first.
        """

        def order(found: tuple[Place, int]) -> tuple[int, Place]:
            place, call = found
            seen = next(each[call] for each in self._steps(place) if call in each)
            return seen.order, place

        firsts = [(place, call) for place in self.names if (call := self.first(place)) is not None]
        return min(firsts, key=order, default=None)

    def endings(self) -> list[tuple[str, str, str]]:
        """How the two end differently: what, and the value of each."""
        found = []
        pair = (self.base, self.other)
        one, two = (_status(each) for each in pair)
        # A process that wrote its own record does not know its status.
        if None not in (one, two) and one != two:
            found.append(("exit status", str(one), str(two)))
        finals, others = _finals(pair)
        found += [
            (f"final {name}", finals[name], others[name])
            for name in finals
            if name in others and finals[name] != others[name]
        ]
        return found

    def difference(self) -> Difference | None:
        """The first difference of the two, as far as their records tell."""
        values: tuple[tuple[str, str], ...] = ()
        found = self.earliest()
        if found is None:
            endings = self.endings()
            if not endings:
                return None
            what, one, two = endings[0]
            return Difference(
                f"first observed at the end: {what}",
                (("records", self._pair()),),
                tuple(each for each, _, _ in endings),
                values=((self.base.name, one), (self.other.name, two)),
            )
        place, call = found
        where = [("records", self._pair()), ("step", f"{call:,}")]
        if self.names[place] != steps.ALL:
            where.append(("where", self.names[place]))
        at = f"first observed at step {call:,}"
        if place.rank >= 0:
            at += f", rank {place.rank}"
        if call in self.absent[place]:
            who = self.absent[place][call]
            trail = [f"Up to there all steps are equal; only {who} has this step."]
            return Difference(f"{at}: only {who} has it", tuple(where), tuple(trail))
        parts = self.differing[place][call]
        where.append(("what", parts[0].words))
        if parts[0].values:
            values = tuple(zip((self.base.name, self.other.name), parts[0].values))
        before = f"All {call:,} steps before are equal." if call else "It is the first step."
        trail = [before, *(self._told(place, call, each) for each in parts)]
        return Difference(f"{at}: {parts[0].words}", tuple(where), tuple(trail), values=values)

    def in_common(self) -> bool:
        """Whether there is anything in both that could be compared: as `seed-init compare` says."""
        return bool(align.in_common(self.base.processes, self.other.processes))

    def _pair(self) -> str:
        return f"{self.base.name} and {self.other.name}"

    def _told(self, place: Place, call: int, unequal: Unequal) -> str:
        if unequal.level == "loss":
            return f"The loss differs, by {self._distance(place, call)}."
        if unequal.level == "draw":
            return f"The generators stand elsewhere: {', '.join(unequal.names)}."
        total = len(self._steps(place)[0][call].names[f"{unequal.level}s"])
        return f"{len(unequal.names):,} of {counted(total, unequal.level)} differ: {unequal.words}."

    def _distance(self, place: Place, call: int) -> str:
        one, two = (seen[call].loss for seen in self._steps(place))
        return "what cannot be told" if one is None or two is None else f"{abs(one - two):.3g}"


def _verdict(loaded: Sequence[Loaded], comparisons: Sequence[_Comparison]) -> Verdict:
    names = comparisons[0].names
    ran_badly = [each for each in loaded if _trouble(each)]
    parted = [each for each in comparisons if each.earliest() or each.endings()]
    common = [place for place in names if all(place in each.traces for each in loaded)]
    number = sum(len(loaded[0].traces[place].steps) for place in common)
    finals = set.intersection(*map(set, _finals(loaded)))
    strangers = [each.other.name for each in comparisons if not each.in_common()]
    if ran_badly:
        word = FAILED
        sentence = "; ".join(f"{each.name} ended with {_trouble(each)}" for each in ran_badly)
        sentence += (
            ". The records differ all the same."
            if parted
            else "."
            if strangers
            else ". Nothing else differs."
        )
    elif parted:
        word = DIFFERENT
        sentence = f"{' and '.join(each.other.name for each in parted)} "
        sentence += f"{'differs' if len(parted) == 1 else 'differ'} from {loaded[0].name}"
        step = min((found[1] for each in parted if (found := each.earliest())), default=None)
        sentence += f", first at step {step:,}." if step is not None else ", at the end."
    elif strangers:
        word = ONE_RUN
        sentence = (
            "The records have nothing in common that could be compared."
            if len(strangers) == len(comparisons)
            else f"{' and '.join(strangers)} {'has' if len(strangers) == 1 else 'have'} nothing in "
            f"common with {loaded[0].name} that could be compared."
        )
    elif any(each.failed for each in loaded):
        word = UNPROVEN
        sentence = "Nothing that was seen differs, but an instrument failed: not all was seen."
    else:
        word = IDENTICAL
        sentence = f"The {len(loaded)} records are equal, bit for bit, in all that they share."
    compared = []
    if number:
        ranks = {place.rank for place in common if place.rank >= 0}
        compared.append(("steps", f"{number:,}"))
        if ranks:
            compared.append(("ranks", f"{len(ranks):,}"))
        seen = [step for place in common for step in loaded[0].traces[place].steps.values()]
        tensors = {name for step in seen for kind in step.names.values() for name in kind}
        compared.append(("tensors in each", f"{len(tensors):,}"))
        generators = sorted({name for step in seen for name in step.positions})
        if generators:
            compared.append(("generators", ", ".join(generators)))
    if finals:
        names_of = {name.partition(", ")[0] for name in finals}
        of = f", of {counted(len(loaded[0].ends), 'process', 'es')}"
        compared.append(("at the end", ", ".join(sorted(names_of)) + of))
    return Verdict(word, sentence, tuple(compared), tuple(_gaps(loaded, comparisons)))


def _gaps(loaded: Sequence[Loaded], comparisons: Sequence[_Comparison]) -> Iterator[str]:
    """What could not be compared, a line each."""
    without = [each.name for each in loaded if not each.traces]
    if without:
        yield f"training steps: none were seen in {' and '.join(without)}"
    for comparison in comparisons:
        one, two = (_generators(each) for each in (comparison.base, comparison.other))
        for name in sorted(one ^ two):
            has = comparison.base if name in one else comparison.other
            yield f"generator {name}: only {has.name} has it"
    for each in loaded:
        for line in _incomplete(each):
            yield f"{each.name}: {line}"


def _generators(loaded: Loaded) -> set[str]:
    return {
        name
        for trace in loaded.traces.values()
        for seen in trace.steps.values()
        for name in seen.positions
    }


# --- a single record --------------------------------------------------------------------


def _no_verdict(loaded: Loaded) -> Verdict:
    trouble = _trouble(loaded)
    if trouble:
        return Verdict(FAILED, f"The command ended with {trouble}.")
    return Verdict(
        ONE_RUN,
        "This is the record of one run, and was compared with none. "
        "seed-init verify runs a command twice; seed-init report takes several records.",
        (),
        tuple(_incomplete(loaded)),
    )


def _own_verdict(loaded: Loaded) -> Verdict | None:
    """What the verification that made a record has found; None where there was none."""
    own = loaded.content.get("verdict")
    if not isinstance(own, dict):
        return None
    word = str(own.get("verdict"))
    runs = own.get("runs") or []
    found = own.get("difference")
    failures = [_failure(each) for each in own.get("failures") or ()]
    if word == IDENTICAL:
        sentence = f"{counted(len(runs), 'run')} of the command did the same, bit for bit."
    elif found:
        sentence = f"{counted(len(runs), 'run')} of the command: {found.get('first_observed')}."
    else:
        sentence = f"{own.get('reason') or 'The command failed'}."
    if own.get("broke_equality"):
        sentence += f" What broke equality: {own['broke_equality']}."
    compared = [
        (str(name).replace("_", " "), _shown(value))
        for name, value in (own.get("compared") or {}).items()
        if value or value == 0
    ]
    return Verdict(
        word,
        sentence,
        tuple(compared),
        (*failures, *map(str, own.get("not_compared") or ())),
        tuple(_arm(run) for run in runs),
    )


def _failure(failure: Mapping[str, Any]) -> str:
    ranks = [f"rank {rank}" for rank in failure.get("ranks") or ()]
    where = ", ".join((*map(str, failure.get("runs") or ()), *ranks))
    return f"failed: {failure.get('what')}, in {where}"


def _arm(run: Mapping[str, Any]) -> tuple[str, str, str]:
    changed = [str(each) for each in run.get("changed") or ()]
    if not run.get("observed", True):
        changed.append("not observed in its steps")
    outcome = f"status {run.get('status')}"
    if run.get("seconds") is not None:
        outcome += f", {run['seconds']:.1f} s"
    return str(run.get("name")), ", ".join(changed) or "nothing", outcome


def _strips_of_one(loaded: Loaded, names: dict[Place, str]) -> Iterator[Strip]:
    """What the verdict that a record holds says about its steps."""
    own = loaded.content.get("verdict") or {}
    found = own.get("difference") or {}
    number = found.get("step")
    for place, name in names.items():
        rank = found.get("rank")
        mine = rank in (None, place.rank) and found.get("optimizer") in (None, place.optimizer)
        shown = [
            _step_of_one(call, own.get("verdict"), number, mine, str(found.get("level")))
            for call in sorted(loaded.traces[place].steps)
        ]
        first = next((i for i, step in enumerate(shown) if step.state == "differs"), None)
        yield Strip(name, tuple(shown), first)


def _step_of_one(call: int, word: Any, number: Any, mine: bool, level: str) -> Step:
    if word == IDENTICAL or (word == DIFFERENT and number is not None and call < number):
        return Step(call, "same")
    if word == DIFFERENT and call == number and mine:
        return Step(call, "differs", level)
    return Step(call, "unknown")


def _differences_of_one(loaded: Loaded) -> list[Difference]:
    own = loaded.content.get("verdict") or {}
    found = own.get("difference")
    if not found:
        return []
    place = [
        (name, _shown(found[name]))
        for name in (
            *("level", "step", "rank", "optimizer", "batch", "generator", "tensor", "module"),
            *("operator", "node"),
        )
        if found.get(name) is not None
    ]
    source = found.get("source")
    where = None
    if source:
        inside = f", in {source['function']}" if source.get("function") else ""
        where = (f"{source['file']}:{source['line']}{inside}", (source.get("text") or "").strip())
    return [
        Difference(
            str(found.get("first_observed")),
            tuple(place),
            tuple(map(str, found.get("trail") or ())),
            where,
            tuple(
                (str(run), _shown(value))
                for run, value in zip(found.get("runs") or (), found.get("values") or ())
            ),
            tuple((str(r.get("cause")), str(r.get("remedy"))) for r in found.get("remedies") or ()),
        )
    ]


# --- losses -----------------------------------------------------------------------------


def _charts(
    loaded: Sequence[Loaded], names: dict[Place, str], comparisons: Sequence[_Comparison]
) -> Iterator[Chart]:
    """The losses of each place, and how far the other runs are from the first one."""
    firsts = {
        place: min(
            (c for each in comparisons if (c := each.first(place)) is not None), default=None
        )
        for place in names
    }
    # Ranks mostly show the same: the first one, and the first one that differs.
    prominent = {next(iter(names), None)}
    parted = [place for place in names if firsts[place] is not None]
    if parted:
        prominent = {min(parted, key=lambda place: (firsts[place], place))}
    prominent |= {place for place in names if place.optimizer and place[:3] in
                  {each[:3] for each in prominent if each}}  # fmt: skip
    for place, name in names.items():
        losses = [_losses(each.traces.get(place)) for each in loaded]
        curves = tuple(Curve(run, points) for run, points in enumerate(losses) if points)
        if not curves:
            continue
        first = firsts[place]
        mark = None if first is None else Mark(first, f"first difference: step {first:,}")
        of = "" if name == steps.ALL else f", {name}"
        yield Chart(f"Loss{of}", _loss_unit(loaded, place), curves, None, mark, place in prominent)
        apart = _distances(curves)
        if apart:
            yield Chart(
                f"Distance of the loss from {loaded[0].name}{of}",
                "absolute; no line where it is 0",
                apart,
                True,
                None,
                place in prominent,
            )


def _earliest(calls: Iterable[int | None]) -> int | None:
    return min((call for call in calls if call is not None), default=None)


def _losses(trace: Trace | None) -> tuple[tuple[int, float], ...]:
    if trace is None:
        return ()
    return tuple(
        (call, seen.loss) for call, seen in sorted(trace.steps.items()) if seen.loss is not None
    )


def _loss_unit(loaded: Sequence[Loaded], place: Place) -> str:
    several = any(
        len(seen.losses) > 1
        for each in loaded
        if place in each.traces
        for seen in each.traces[place].steps.values()
    )
    return "mean of a step's backward passes" if several else "as given to backward()"


def _distances(curves: Sequence[Curve]) -> tuple[Curve, ...]:
    """Curves of the distance from the first curve; those that never leave it are left out."""
    base = dict(curves[0].points)
    found = []
    for curve in curves[1:]:
        points = tuple(
            (step, abs(value - base[step]))
            for step, value in curve.points
            if step in base and math.isfinite(value - base[step])
        )
        if any(distance > _DISTANCE_FLOOR for _, distance in points):
            found.append(Curve(curve.run, points))
    return tuple(found)


def _shown(value: Any) -> str:
    """A value of a record as a reader wants it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(each, (dict, list)) for each in value):
        return ", ".join(map(str, value)) or "none"
    return json.dumps(value, ensure_ascii=False)


# --- reading records ----------------------------------------------------------------------


def _load(file: Path, name: str) -> Loaded:
    record = records.read(file)
    processes = [(each.header, each.events) for each in record.processes]
    ended = [(header, each[-1]) for header, each in processes if each and _is_end(each[-1])]
    places = steps.places([header for header, _ in ended])
    ends: Ends = {place: event for place, (_, event) in zip(places, ended)}
    failed = any(event["event"] == "failed" for _, each in processes for event in each)
    failed |= bool((record.content.get("verdict") or {}).get("failures"))
    clean = redaction.record(record.content)
    traces = steps.traces(processes)
    return Loaded(name, str(file), clean, record.processes, traces, ends, failed)


def _is_end(event: Mapping[str, Any]) -> bool:
    return bool(event["event"] == "end")


def _finals(loaded: Sequence[Loaded]) -> list[dict[str, str]]:
    """What the processes of each run left: name and digest."""
    # With the same names in all of them.
    several = any(len(each.ends) > 1 for each in loaded)
    return [_finals_of(each, several) for each in loaded]


def _finals_of(loaded: Loaded, several: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, event in loaded.ends.items():
        of = f", {_process(place)}" if several else ""
        for generator, position in (event.get("generators") or {}).items():
            found[f"generator {generator}{of}"] = str(position)
        for final in event.get("final") or ():
            optimizer = f" of optimizer {final['optimizer']}" if final["optimizer"] else ""
            if any(final["digests"]):
                found[f"parameters{optimizer}{of}"] = ", ".join(final["digests"])
    return found


def _process(place: tuple[int, tuple[str, ...], int]) -> str:
    rank, path, turn = place
    parts = [f"rank {rank}"] if rank >= 0 else []
    parts += [f"child {'.'.join(path)}"] if path else []
    parts += [f"process {turn + 1}"] if turn else []
    return ", ".join(parts) or "main process"


def _status(loaded: Loaded) -> int | None:
    status: int | None = (loaded.content.get("exit") or {}).get("status")
    return status


def _trouble(loaded: Loaded) -> str | None:
    """How a run ended that did not end well; None for one that did, or where it is not known."""
    ended = loaded.content.get("exit") or {}
    status, raised = ended.get("status"), ended.get("raised")
    if status:
        return f"status {status}" + (f", {raised}" if raised else "")
    # With SEED_INIT_RECORD a process cannot see its own status.
    return str(raised or ended["how"]) if ended.get("how") in ("exception", "signal") else None


def _incomplete(loaded: Loaded) -> list[str]:
    return [str(line) for line in loaded.content.get("incomplete") or ()]


def _facts(loaded: Loaded) -> tuple[tuple[str, str], ...]:
    content = loaded.content
    code, seeds = content.get("code") or {}, content.get("seeds") or {}
    times, ended = content.get("times") or {}, content.get("exit") or {}
    facts = [
        ("command", shlex.join(map(str, (content.get("command") or {}).get("argv") or ()))),
        ("SEED", _shown(seeds.get("seed"))),
        ("commit", _commit(code)),
        ("started", _time(times.get("started"))),
        ("took", "" if times.get("seconds") is None else f"{times['seconds']:,.1f} s"),
        ("exit status", "not known" if ended.get("status") is None else str(ended["status"])),
    ]
    return tuple((name, value) for name, value in facts if value)


def _commit(code: Mapping[str, Any]) -> str:
    if not code.get("commit"):
        return ""
    state = ", with changes" if code.get("dirty") else ""
    return f"{str(code['commit'])[:12]}{state}"


def _time(value: Any) -> str:
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S} UTC"
    except (TypeError, ValueError):
        return ""


# --- the environment ----------------------------------------------------------------------

_SECTIONS = (
    *(
        "settings",
        "seeds",
        "flags",
        "flags changed later",
        "torch",
        "cpu",
        "gpu",
        "distributed",
        "image",
    ),
    *("python", "system", "code", "environment", "files read", "packages"),
)
"""In the order in which they are likely to explain a difference."""


_OF_A_RANK = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK")
"""The record has those of one process: which one was first is chance."""

_OF_THE_RECORD = ("SEED_INIT_TRACE", "SEED_INIT_RECORD")


def _environment(loaded: Sequence[Loaded]) -> Iterator[Fact]:
    tables = [_tables(each.content) for each in loaded]
    for section in _SECTIONS:
        rows = [table.get(section, {}) for table in tables]
        for name in dict.fromkeys(name for each in rows for name in each):
            # What a record does not have is shown as "none", which may be a value as well.
            cells = [row.get(name, _Value("none", None)) for row in rows]
            texts = told_apart([each.shown for each in cells], [each.exact for each in cells])
            values = [text if name in row else None for text, row in zip(texts, rows)]
            yield Fact(section, name, tuple(values))


class _Value(NamedTuple):
    """A cell of the table.

    Attributes:
        shown: as a reader wants it.
        exact: what it stands for, as JSON has it.
    """

    shown: str
    exact: Any


def _tables(content: Mapping[str, Any]) -> dict[str, dict[str, _Value]]:
    """Section -> name -> value. What is different in each run by nature is not among it."""
    flags, code = content.get("flags") or {}, content.get("code") or {}
    variables, files = content.get("environment") or {}, content.get("files") or {}
    later = {
        f"{name}, later": value
        for name, value in (variables.get("changed") or {}).items()
        if name not in _OF_A_RANK
    }
    distributed = content.get("distributed") or {}
    tables = {name: _rows(content.get(name)) for name in _SECTIONS}
    tables |= {
        "settings": {
            row["name"]: _Value(f"{row['value']} ({row['origin']})", row)
            for row in content.get("settings") or ()
            if row["name"] not in _OF_THE_RECORD
        },
        "seeds": _seeds(content),
        "flags": _rows(flags.get("start")),
        "distributed": _rows(
            {
                "world": distributed.get("world"),
                **{
                    f"rank {rank['rank']}": {
                        name: rank[name] for name in rank if name not in ("rank", "process")
                    }
                    for rank in distributed.get("ranks") or ()
                },
            }
            if distributed
            else None
        ),
        # Not the path: it has scratch directories in it, and the packages say what it leads to.
        "python": _rows(
            {name: each for name, each in (content.get("python") or {}).items() if name != "path"}
        ),
        "flags changed later": dict(
            _change(change, several=len(content.get("processes") or ()) > 1)
            for change in flags.get("changes") or ()
        ),
        "code": _rows({name: code[name] for name in code if name not in ("modules", "note")})
        | {
            f"module {module['path']}": _Value(_digest(module["sha256"]), module["sha256"])
            for module in code.get("modules") or ()
        },
        "environment": _rows({**(variables.get("start") or {}), **later}),
        "files read": {
            file["path"]: _Value(_file(file), [file[name] for name in ("size", "sha256", "method")])
            for file in files.get("read") or ()
        },
    }
    return tables


def _seeds(content: Mapping[str, Any]) -> dict[str, _Value]:
    """What seeded each process and what it left unseeded."""
    places = steps.places(content.get("processes") or ())
    found = (content.get("seeds") or {}).get("processes") or ()
    rows: dict[str, _Value] = {}
    for each in found:
        told = {name: each[name] for name in each if name not in ("process", "path", "restart")}
        # By rank and not by number: which process was first is chance.
        rows |= _rows(told, _process(places[each["process"]]) if len(found) > 1 else "")
    return rows


def _rows(value: Any, name: str = "") -> dict[str, _Value]:
    """Nested values as rows with dotted names; none for what is empty or not known."""
    if value is None or value in ({}, []):
        return {}
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        items = {str(index): each for index, each in enumerate(value)}.items()
    else:
        return {name: _Value(_shown(value), value)} if name else {}
    rows: dict[str, _Value] = {}
    for key, each in items:
        rows |= _rows(each, f"{name}.{key}" if name else str(key))
    return rows


def _change(change: Mapping[str, Any], several: bool) -> tuple[str, _Value]:
    values = ", ".join(f"{name}={_shown(value)}" for name, value in change["values"].items())
    process = f"process {change['process']}, " if several else ""
    place = change.get("place") or "place not known"
    when = f"{process}after {counted(change['steps_before'], 'step')}"
    return when, _Value(f"{values} at {place}", [change["values"], change["place"]])


def _file(file: Mapping[str, Any]) -> str:
    size = "" if file.get("size") is None else f"{counted(file['size'], 'byte')}, "
    if file.get("sha256") is None:
        return f"{size}{file.get('method')}"
    return f"{size}{_digest(file['sha256'])} ({file.get('method')})"


def _digest(digest: Any) -> str:
    return "no digest" if digest is None else f"sha256 {str(digest)[:16]}"


# --- the audit ----------------------------------------------------------------------------


def _audit(loaded: Loaded) -> list[Mapping[str, Any]] | None:
    audit = loaded.content.get("audit")
    if isinstance(audit, dict):
        audit = audit.get("findings")
    return audit if isinstance(audit, list) else None


def _findings(loaded: Sequence[Loaded]) -> Iterator[Finding]:
    for run, each in enumerate(loaded):
        for found in _audit(each) or ():
            detail = f" ({found['detail']})" if found.get("detail") else ""
            line = "" if found.get("line") is None else f":{found['line']}"
            yield Finding(
                run,
                str(found.get("kind")),
                f"{found.get('file') or 'file not known'}{line}",
                int(found.get("count") or 1),
                f"{_shown(found.get('what'))}{detail}",
                str(found.get("text") or "").strip(),
            )
