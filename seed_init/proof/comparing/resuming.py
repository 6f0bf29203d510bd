# SPDX-License-Identifier: Apache-2.0
"""A run that was stopped and resumed is compared with one that was never stopped.

The two are lined up by state and not by number: the resumed process belongs behind the step of the
whole run after which the parameters were those with which it begins. From there on the two are
compared step by step. What is not the same at the first such step is told apart by what the
instrument `resuming` has written of both: a checkpoint holds the parameters, and may lack the state
of the optimizer, the learning rate, the scale of a GradScaler, the generators, or the place in the
data.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any

from seed_init.proof.comparing import steps
from seed_init.proof.comparing.align import paired
from seed_init.proof.comparing.causes import remedies_of_resuming
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.steps import Parting
from seed_init.proof.comparing.values import counted
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import Moment, Start, Step, Tensors, Trained

(PARAMETERS, OPTIMIZER, RATE, OPTION, SCALER, GENERATORS, DRAWN, DATA, CONTENTS, LENGTH, OTHER) = (
    *("parameters", "optimizer", "rate", "option", "scaler", "generators", "drawn", "data"),
    *("contents", "length", "other"),
)
"""What a checkpoint may lack, in the order in which it is told; `causes` has a remedy for each."""

LEVELS = {
    PARAMETERS: "parameter",
    OPTIMIZER: "optimizer",
    RATE: "rate",
    OPTION: "rate",
    SCALER: "scaler",
    GENERATORS: "draw",
    DRAWN: "draw",
    DATA: "batch",
    CONTENTS: "batch",
    LENGTH: "trace",
}
"""The level of a difference, where it is not that of the step."""

FOLLOWS = ("initial_", "max_", "min_", "base_")
"""Options that schedulers write into an optimizer for themselves: they count by way of others."""


class Batch:
    """A batch that a DataLoader gave.

    Attributes:
        loader: the number of the DataLoader in its process.
        epoch: how many passes over it came before.
        number: of the batch in its epoch, from 0.
        digest: of its contents.
        samples: the numbers of its samples; None where the data set has none.
    """

    def __init__(self, told: Sequence[Any]) -> None:
        self.loader, self.epoch, self.number, self.digest, self.samples = told

    def is_of(self, batch: "Batch") -> bool:
        """Return whether the samples are the same; without numbers, whether the contents are."""
        if self.samples is None or batch.samples is None:
            return bool(self.digest == batch.digest)
        return bool(self.samples == batch.samples)


@dataclass(frozen=True)
class Problem:
    """Something that the resumed run does not have as the whole run had it.

    Attributes:
        kind: one of the kinds above.
        text: what, in one clause.
        call: the step of the whole run at which it shows.
        tensor: the name of the tensor, where it stands for one.
        generator: of a generator, likewise.
        values: what each run has, where that says something to a person.
        level: of the difference.
    """

    kind: str
    text: str
    call: int
    tensor: str | None = None
    generator: str | None = None
    values: list[Any] | None = None
    level: str = ""


@dataclass
class LinedUp:
    """One process of the whole run and its partner in the resumed run.

    Attributes:
        whole: the process of the run that was never stopped.
        resumed: the one that goes on.
        after: optimizer -> the step of the whole run after which it goes on; -1 for its start.
    """

    whole: Trained
    resumed: Trained
    after: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """How a resumed run compares.

    Attributes:
        after: the step after which it goes on, of the pair that goes on earliest; -1 where it began
            from the beginning; None where it made no step or its parameters are not known.
        steps: how many steps were compared.
        restart: how often its job was restarted, as the hook knows it; empty where nobody counts.
        difference: what was first seen to differ; None where nothing was.
    """

    after: int | None
    steps: int
    restart: tuple[int, ...]
    difference: Difference | None


def compare(
    whole: Sequence[Process], resumed: Sequence[Process], failed: bool, own_streams: bool = False
) -> Comparison:
    """Compare a resumed run with a whole one.

    Args:
        whole: the processes of the run that was never stopped, with what `resuming` has written.
        resumed: those of the run that goes on where another one was stopped.
        failed: something of ours failed in one of them.
        own_streams: the resumed run draws from streams of its own (SEED_INIT_RESTART), so that only
            what does not follow from draws is compared.
    """
    pairs, alone = paired(whole, resumed)
    trained = [LinedUp(Trained(one), Trained(two)) for one, two in pairs]
    failed = failed or steps.has_failed(whole) or steps.has_failed(resumed)
    found: list[Difference] = []
    compared = 0
    for number, pair in enumerate(trained):
        problems = list(_lined_up(pair))
        if not problems and not own_streams:
            problems = list(Diagnosis(pair, failed).problems())
        elif not problems:
            problems = list(Diagnosis(pair, failed).kept_problems())
        compared = max(compared, len(_steps(pair.resumed)))
        if problems:
            difference = _difference(problems)
            difference.rank, difference.process = pair.whole.process.rank, number
            found.append(difference)
    if not found and not own_streams:
        found += _rest(trained, alone, failed)
    after = [call for pair in trained for call in pair.after.values()]
    first = min(found, key=lambda each: -1 if each.step is None else each.step, default=None)
    return Comparison(min(after, default=None), compared, restart_of(resumed), first)


def restart_of(processes: Sequence[Process]) -> tuple[int, ...]:
    """Return how often the job of some processes was restarted; empty where nobody counts."""
    told = [tuple(event["restart"]) for each in processes for event in each.of("attempt")]
    return max(told, default=())


def _steps(trained: Trained) -> list[Step]:
    return [moment for moment in trained.moments if isinstance(moment, Step)]


def _rest(trained: list[LinedUp], alone: list[Process], failed: bool) -> list[Difference]:
    """What differs after the last step, or in which processes there are.

    Only processes that trained are compared: the workers of a DataLoader are those of another
    epoch.
    """
    pairs = [(pair.whole, pair.resumed) for pair in trained if pair.after]
    difference = steps.first_of(pairs, [None] * len(pairs), alone, failed)
    if difference is None:
        return []
    if difference.level == "generator":
        difference.remedies = remedies_of_resuming([GENERATORS])
    else:
        difference.remedies = remedies_of_resuming([OTHER])
    return [difference]


def _difference(problems: Sequence[Problem]) -> Difference:
    """What is told of the problems of one process: the first, and the others below it."""
    first = problems[0]
    difference = Difference(
        first.level or LEVELS.get(first.kind, "trace"),
        first.text,
        step=first.call if first.call >= 0 else None,
        tensor=first.tensor,
        generator=first.generator,
        values=first.values,
    )
    difference.trail = [problem.text for problem in problems[1:]]
    kinds = [problem.kind for problem in problems]
    if GENERATORS in kinds:
        # A generator that begins anew shuffles anew, and gives the same noise once more.
        kinds = [kind for kind in kinds if kind not in (DATA, CONTENTS)]
    difference.remedies = remedies_of_resuming(kinds)
    return difference


# --- lining up ------------------------------------------------------------------------------


def _lined_up(pair: LinedUp) -> Iterator[Problem]:
    """Find the step of the whole run behind which the resumed one goes on, for each optimizer."""
    for start in [moment for moment in pair.resumed.moments if isinstance(moment, Start)]:
        of = start.optimizer
        before = [moment for moment in pair.whole.moments if moment.optimizer == of]
        own = [step for step in _steps(pair.resumed) if step.optimizer == of]
        if not before or not own:
            continue
        count = _count(own[0])
        begins = _numbers(start.parameters, count)
        found = [moment for moment in before if _numbers(moment.parameters, count) == begins]
        if not found:
            yield _never_seen(start, before, count)
        else:
            pair.after[of] = _call(_likeliest(found, before, own[0]))


def _call(moment: Moment) -> int:
    return moment.call if isinstance(moment, Step) else -1


def _count(step: Step) -> int | None:
    """How many parameters an optimizer has: behind them come the buffers of their models."""
    gradients = step.gradients
    return None if gradients is None else gradients.count()


def _numbers(tensors: Tensors | None, count: int | None) -> tuple[int, ...] | None:
    # The buffers change in the forward pass, before an optimizer's start is seen.
    return None if tensors is None else tensors.numbers()[:count]


def _likeliest(found: list[Moment], before: list[Moment], first: Step) -> Moment:
    """Of several moments with the same parameters, the one whose next step is like the first one.

    A learning rate of 0, as at the beginning of a warm-up, leaves parameters as they are.
    """
    following = {_call(moment): moment for moment in before if isinstance(moment, Step)}

    def likeness(moment: Moment) -> tuple[int, int]:
        after = following.get(_call(moment) + 1)
        alike = 0
        if after is not None:
            alike += dict(after.generators) == dict(first.generators)
            alike += after.losses == first.losses
            alike += _numbers(after.gradients, None) == _numbers(first.gradients, None)
        return alike, _call(moment)

    return max(found, key=likeness)


def _never_seen(start: Start, before: list[Moment], count: int | None) -> Problem:
    """Say of parameters that the whole run never had, tensor by tensor, where they come from."""
    begins = _numbers(start.parameters, count) or ()
    names = start.parameters.names if start.parameters is not None else ()
    seen: list[set[int]] = [set() for _ in begins]
    for moment in before:
        numbers = _numbers(moment.parameters, count) or ()
        for index, (one, two) in enumerate(zip(begins, numbers)):
            if one == two:
                seen[index].add(_call(moment))
    unknown = [index for index, calls in enumerate(seen) if not calls]
    # Each was there after some step, and all together after none: a checkpoint of two moments.
    if not unknown:
        latest = [max(calls) for calls in seen]
        old = latest.index(min(latest))
        # A parameter that is not trained is that of every step, and tells nothing.
        apart = (index for index, calls in enumerate(seen) if calls.isdisjoint(seen[old]))
        new = next(apart, latest.index(max(latest)))
        text = (
            f"the parameters it begins with were never together in the whole run: "
            f"{_name(names, old)} is that of {_moment(latest[old])}, "
            f"{_name(names, new)} that of {_moment(latest[new])}"
        )
        return Problem(PARAMETERS, text, -1, tensor=_name(names, old))
    some = _name(names, unknown[0])
    more = f" and {len(unknown) - 1} more of {len(begins)}" if len(unknown) > 1 else ""
    text = f"the parameters it begins with were never seen in the whole run: {some}{more}"
    return Problem(PARAMETERS, text, -1, tensor=some)


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else f"parameter {index}"


def _moment(call: int) -> str:
    return "the start" if call < 0 else f"step {call}"


# --- what is not the same -------------------------------------------------------------------


class Diagnosis:
    """Finds out what one process of a resumed run does not have as the whole run had it.

    Args:
        pair: the two, lined up.
        failed: something of ours failed in one of the runs.
    """

    def __init__(self, pair: LinedUp, failed: bool) -> None:
        self.pair = pair
        self.failed = failed
        self.states = _by_step(pair.whole.process), _by_step(pair.resumed.process)

    def problems(self) -> Iterator[Problem]:
        """Everything that is not the same at the first step at which anything is not."""
        parting = self._parting()
        kept = next(self._unequal_states(), None)
        at = [each for each in (kept, _place(parting)) if each is not None]
        if not at:
            return
        optimizer, call = min(at, key=lambda each: each[1])
        if kept == (optimizer, call):
            yield from self._of_state(optimizer, call)
        if _place(parting) == (optimizer, call) and parting is not None:
            yield from self._of_parting(parting, optimizer, call, kept == (optimizer, call))

    def kept_problems(self) -> Iterator[Problem]:
        """What a run with streams of its own must have all the same: state, rate, scale."""
        for optimizer, after in self.pair.after.items():
            yield from self._of_state(optimizer, after + 1)
        for optimizer, call in self._unequal_states(rates_only=True):
            yield from self._of_state(optimizer, call)
            return
        yield from self._unequal_lengths()

    def _unequal_lengths(self) -> Iterator[Problem]:
        """Say of which optimizer the resumed run makes fewer steps, or more, than are left."""
        for optimizer, after in self.pair.after.items():
            of = (
                {step.call for step in _steps(trained) if step.optimizer == optimizer}
                for trained in (self.pair.whole, self.pair.resumed)
            )
            last, own = (max(calls, default=-1) for calls in of)
            if own + after + 1 != last:
                yield _of_length(own + after + 1 > last, min(own + after + 1, last) + 1)

    def _parting(self) -> Parting | None:
        whole, resumed = Trained(self.pair.whole.process), Trained(self.pair.resumed.process)
        after = self.pair.after
        whole.moments = [
            step for step in _steps(self.pair.whole) if step.call > after.get(step.optimizer, -1)
        ]
        resumed.moments = [
            step.later(after.get(step.optimizer, -1) + 1) for step in _steps(self.pair.resumed)
        ]
        return steps.first_proven(steps.partings(whole, resumed), self.failed)

    def _state(self, which: int, optimizer: int, call: int) -> Mapping[str, Any] | None:
        """What `resuming` wrote of a step: of the whole run, or (1) of the resumed one."""
        if which:
            call -= self.pair.after[optimizer] + 1
        return self.states[which].get((optimizer, call))

    def _unequal_states(self, rates_only: bool = False) -> Iterator[tuple[int, int]]:
        places = [
            (call + self.pair.after[of] + 1, of)
            for of, call in self.states[1]
            if of in self.pair.after
        ]
        for call, of in sorted(places):
            if any(self._of_state(of, call, rates_only)):
                yield of, call

    def _of_state(self, optimizer: int, call: int, rates_only: bool = False) -> Iterator[Problem]:
        """What an optimizer starts a step with that is not the same: state, options, scale."""
        whole, resumed = (self._state(which, optimizer, call) for which in (0, 1))
        if whole is None or resumed is None:
            return
        if not rates_only:
            yield from _of_optimizer(whole["state"], resumed["state"], call)
        yield from _of_options(whole["options"], resumed["options"], call)
        if not rates_only and whole["scaler"] != resumed["scaler"]:
            values = [_scaled(each["scaler"]) for each in (whole, resumed)]
            text = f"the GradScaler has {values[0]} in the whole run and {values[1]} here"
            yield Problem(SCALER, text, call, values=values)

    def _of_parting(
        self, parting: Parting, optimizer: int, call: int, is_explained: bool
    ) -> Iterator[Problem]:
        first = parting.unequal[0]
        if parting.beside.first is None or parting.beside.second is None:
            yield _of_length(parting.beside.first is None, call)
            return
        data = self._of_data(optimizer, call)
        moved = [name for each in parting.unequal if each.level == "draw" for name in each.names]
        draws = list(self._of_generators(moved, optimizer, call, data))
        yield from draws
        if data is not None:
            yield data
        if is_explained or draws or data is not None:
            return
        if first.level == "parameter" and not self.states[1]:
            text = "equal gradients led to other parameters: the optimizer's state is another one"
            yield Problem(OPTIMIZER, f"{text} ({first.text})", call, tensor=first.tensor)
            return
        values = None if first.values is None else list(first.values)
        text = (
            f"{first.text}, while learning rate, optimizer state, generators and batches are "
            "the same"
        )
        yield Problem(OTHER, text, call, tensor=first.tensor, values=values, level=first.level)

    # Generators

    def _of_generators(
        self, moved: list[str], optimizer: int, call: int, data: Problem | None
    ) -> Iterator[Problem]:
        """Say which generators were not restored, or were drawn from in between."""
        lost = [name for name in moved if not self._was_restored(name, optimizer)]
        if lost:
            told = [f"{name}{self._where(name, optimizer, call)}" for name in lost]
            text = f"the generators stand elsewhere than in the whole run: {'; '.join(told)}"
            yield Problem(GENERATORS, text, call, generator=lost[0])
        elif moved and data is None:
            text = (
                f"the generators of {', '.join(moved)} were restored, and then drawn from once "
                "more or once less"
            )
            yield Problem(DRAWN, text, call, generator=moved[0])

    def _was_restored(self, name: str, optimizer: int) -> bool:
        """Return whether a generator stood as in the whole run when the data was begun with."""
        events = self.pair.resumed.process.of("state", "epoch")
        begun = takewhile(lambda event: event["event"] == "epoch", events)
        there = {epoch["rng"].get(name) for epoch in begun}
        return bool(there & self._positions(name, optimizer))

    def _positions(self, name: str, optimizer: int) -> set[str]:
        """Where the whole run had a generator after the step, and at the epoch that came next."""
        at = optimizer, self.pair.after[optimizer]
        found = {
            step.generators[name]
            for step in _steps(self.pair.whole)
            if (step.optimizer, step.call) == at and name in step.generators
        }
        last = None
        for event in self.pair.whole.process.of("state", "epoch"):
            if event["event"] == "state":
                last = event["optimizer"], event["call"]
            elif last == at and name in event["rng"]:
                found.add(event["rng"][name])
        return found

    def _where(self, name: str, optimizer: int, call: int) -> str:
        """Say where a generator stands, if the whole run had it there at some time."""
        own = next(
            (
                step.generators.get(name)
                for step in _steps(self.pair.resumed)
                if step.optimizer == optimizer
                and step.call + self.pair.after[optimizer] + 1 == call
            ),
            None,
        )
        for step in _steps(self.pair.whole):
            if step.optimizer == optimizer and step.generators.get(name) == own:
                return f" (as after step {step.call})"
        begun = [each.process.of("epoch")[:1] for each in (self.pair.whole, self.pair.resumed)]
        if all(begun) and begun[0][0]["rng"].get(name) == begun[1][0]["rng"].get(name):
            return " (begun from SEED again)"
        return ""

    # Data

    @cached_property
    def _given(self) -> list[tuple[tuple[int, int], Batch]]:
        """Every batch of the whole run with the step that came after it, in order."""
        return [
            ((event["optimizer"], event["call"]), Batch(told))
            for event in self.pair.whole.process.of("state")
            for told in event["batches"]
        ]

    def _of_data(self, optimizer: int, call: int) -> Problem | None:
        """Compare the last batch before a step; None where it is the same, or there is none."""
        state = self._state(1, optimizer, call)
        own = None if state is None or not state["batches"] else Batch(state["batches"][-1])
        places = [
            number for number, (step, _) in enumerate(self._given) if step == (optimizer, call)
        ]
        if own is None or not places:
            return None
        here = places[-1]
        wanted = self._given[here][1]
        if own.digest == wanted.digest:
            return None
        if own.samples is not None and own.samples == wanted.samples:
            text = (
                f"{self._named(wanted)} has the same samples and other contents: what is drawn "
                "in the data set (noise, augmentation) is not what the whole run drew"
            )
            return Problem(CONTENTS, text, call)
        found = [n for n, (_, batch) in enumerate(self._given) if batch.is_of(own)]
        if not found:
            text = f"data comes in another order: {self._unknown(own, here)}"
        else:
            nearest = min(found, key=lambda number: (abs(number - here), number))
            word, again = ("replayed", " again") if nearest < here else ("skipped", "")
            text = f"data is {word}: here comes {self._named(self._given[nearest][1])}{again}"
        return Problem(DATA, f"{text}, and in the whole run {self._named(wanted)}", call)

    def _named(self, batch: Batch) -> str:
        loaders = {each.loader for _, each in self._given}
        of = f" of DataLoader {batch.loader}" if len(loaders) > 1 else ""
        return f"batch {batch.number} of epoch {batch.epoch}{of}"

    def _unknown(self, own: Batch, here: int) -> str:
        """Say of a batch that the whole run has not whether its samples were seen before."""
        wanted = self._given[here][1]
        seen = {
            sample
            for _, batch in self._given[:here]
            if (batch.loader, batch.epoch) == (wanted.loader, wanted.epoch)
            for sample in batch.samples or ()
        }
        text = "here comes a batch that the whole run has not"
        if own.samples is None or not wanted.number:
            return text
        twice = sum(sample in seen for sample in own.samples)
        return (
            f"{text} ({twice} of its {counted(len(own.samples), 'sample')} were seen in epoch "
            f"{wanted.epoch} before)"
        )


def _by_step(process: Process) -> dict[tuple[int, int], Mapping[str, Any]]:
    """(Optimizer, call) -> what `resuming` has written of that step."""
    return {(event["optimizer"], event["call"]): event for event in process.of("state")}


def _place(parting: Parting | None) -> tuple[int, int] | None:
    if parting is None:
        return None
    moment = parting.beside.moment
    return moment.optimizer, moment.call


def _of_optimizer(
    whole: Mapping[str, Any], resumed: Mapping[str, Any], call: int
) -> Iterator[Problem]:
    if whole == resumed:
        return
    lost = [name for name in whole if name not in resumed]
    other = [name for name in whole if name in resumed and whole[name] != resumed[name]]
    if lost or other:
        what = f"is not there ({', '.join(lost)})" if lost else f"differs ({', '.join(other)})"
        text = f"the optimizer's state {what}"
    else:
        more = ", ".join(name for name in resumed if name not in whole)
        text = f"the optimizer has a state that the whole run has not ({more})"
    yield Problem(OPTIMIZER, text, call)


def _of_options(
    whole: Sequence[Mapping[str, str]], resumed: Sequence[Mapping[str, str]], call: int
) -> Iterator[Problem]:
    if len(whole) != len(resumed):
        text = f"the optimizer has {len(whole)} and {counted(len(resumed), 'group')} of parameters"
        yield Problem(OPTION, text, call)
        return
    unequal: Counter[str] = Counter()
    first: dict[str, list[str]] = {}
    for one, two in zip(whole, resumed):
        for name in one.keys() & two.keys():
            if one[name] != two[name] and not name.startswith(FOLLOWS):
                unequal[name] += 1
                first.setdefault(name, [one[name], two[name]])
    for name in sorted(unequal, key=lambda name: (name != "lr", name)):
        values = first[name]
        what = "learning rate" if name == "lr" else f"option {name}"
        text = f"the {what} is {values[0]} in the whole run and {values[1]} here"
        yield Problem(RATE if name == "lr" else OPTION, text, call, values=values)


def _scaled(scaler: Sequence[Any] | None) -> str:
    if scaler is None:
        return "no scale"
    return f"scale {scaler[0]}, {counted(scaler[1], 'step')} since it changed"


def _of_length(is_longer: bool, call: int) -> Problem:
    text = (
        "the resumed run makes more steps than the whole run has"
        if is_longer
        else "the resumed run ends before the whole run does: this step is missing"
    )
    return Problem(LENGTH, text, call)
