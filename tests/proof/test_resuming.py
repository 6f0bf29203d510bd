"""A resumed run is lined up by state, and what it lacks is told apart; no process is started.

tests/divergence/test_resuming.py has real trainings.
"""

import struct
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.comparing.causes import RESUMING
from seed_init.proof.comparing.resuming import LEVELS, OTHER, Comparison, compare
from seed_init.proof.observer.instruments import stopping
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying.resuming import STOPPED, Watch

NAMES = ["first.weight", "last.weight"]
BATCHES = 3
"""In an epoch."""


def vector(*numbers: int) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}q", *numbers)).decode()


def parameters(call: int) -> list[int]:
    """The fingerprints after a step of the whole run; -1 is its start."""
    return [1000 + call, 2000 + call]


def step(call: int, **changed: Any) -> list[dict[str, Any]]:
    """What the instruments write of a step of the whole run."""
    epoch, batch = divmod(call, BATCHES)
    state = {"exp_avg": [2, f"state {call}"]} if call else {}
    return [
        {
            "event": "state",
            "optimizer": 0,
            "call": call,
            "options": changed.get("options", [{"lr": repr(0.1 / (1 + epoch))}]),
            "state": changed.get("state", state),
            "scaler": changed.get("scaler", ["1024.0", call]),
            "batches": [
                changed.get("batch", [0, epoch, batch, f"batch {call}", [2 * call, 2 * call + 1]])
            ],
        },
        {
            "event": "step",
            "optimizer": 0,
            "call": call,
            "rng": changed.get("rng", {"torch": f"at {call}", "numpy": f"at {call}"}),
            "gradients": vector(*changed.get("gradients", [10 + call, 20 + call])),
            "parameters": vector(*changed.get("parameters", [*parameters(call), 7 * call])),
            "loss": [[float(call), struct.pack(">d", float(call)).hex()]],
        },
    ]


def process(begins: Sequence[int], steps: Sequence[list[dict[str, Any]]], **more: Any) -> Process:
    """A process that begins with some parameters, and makes some steps with its own numbers."""
    tables: list[dict[str, Any]] = [
        {"event": "tensors", "optimizer": 0, "kind": kind, "names": names}
        for kind, names in (("gradients", NAMES), ("parameters", [*NAMES, "norm.mean"]))
    ]
    events: list[dict[str, Any]] = [{"event": "attempt", "restart": more.get("restart", [])}]
    events += [{"event": "epoch", "loader": 0, "epoch": 0, "rng": more.get("rng", {})}, *tables]
    # The buffer has been changed by the first forward pass already.
    begin = {"event": "start", "optimizer": 0, "parameters": vector(*begins, 99)}
    for call, made in enumerate(steps):
        events += [{**event, "call": call} for event in made]
        if not call:
            events.insert(-1, begin)
    generators = more.get("end", {"torch": "end", "numpy": "end"})
    final = [{"optimizer": 0, "digests": ["a", "b"]}]
    events.append({"event": "end", "generators": generators, "final": final})
    header = {"event": "process", "rank": None, "path": [], "argv": ["python", "train.py"]}
    return Process(header, Path("x"), events)


LAST = 9
WHOLE = process(parameters(-1), [step(call) for call in range(LAST)])


def resumed(after: int, *, first: dict[str, Any] | None = None, **more: Any) -> Comparison:
    """Compare a run that goes on behind a step; its first step is changed by `first`."""
    steps = [
        step(call, **((first or {}) if call == after + 1 else {}))
        for call in range(after + 1, LAST)
    ]
    begins = more.pop("begins", parameters(after))
    return compare([WHOLE], [process(begins, steps, **more)], False)


def test_a_resumed_run_is_lined_up_by_its_parameters_and_not_by_its_buffers() -> None:
    found = resumed(4)
    assert (found.after, found.steps, found.difference) == (4, 4, None)


def test_a_run_that_began_from_the_beginning_says_so() -> None:
    assert resumed(-1).after == -1


CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "optimizer": ({"state": {}}, "optimizer", "is not there (exp_avg)"),
    "other state": ({"state": {"exp_avg": [2, "x"]}}, "optimizer", "differs (exp_avg)"),
    "rate": ({"options": [{"lr": "0.1"}]}, "rate", "0.05 in the whole run and 0.1 here"),
    "scaler": ({"scaler": ["65536.0", 0]}, "scaler", "scale 65536.0, 0 steps"),
    "generator": (
        {"rng": {"torch": "at 5", "numpy": "at 0"}},
        "draw",
        "numpy (as after step 0)",
    ),
    "replayed": (
        {"batch": [0, 0, 0, "batch 3", [6, 7]], "gradients": [1, 1]},
        "batch",
        "replayed: here comes batch 0 of epoch 1 again, and in the whole run batch 2 of epoch 1",
    ),
    "skipped": (
        {"batch": [0, 0, 0, "batch 7", [14, 15]], "gradients": [1, 1]},
        "batch",
        "skipped: here comes batch 1 of epoch 2, and",
    ),
    "order": (
        {"batch": [0, 0, 0, "other", [7, 15]], "gradients": [1, 1]},
        "batch",
        "another order: here comes a batch that the whole run has not (1 of its 2 samples were",
    ),
    "contents": (
        {"batch": [0, 0, 0, "other", [10, 11]], "gradients": [1, 1]},
        "batch",
        "same samples and other contents",
    ),
    "nothing known": ({"gradients": [15, 1]}, "gradient", "gradient last.weight differs, while"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_first_step_has_otherwise_is_told_apart(name: str) -> None:
    change, level, text = CHANGES[name]
    found = resumed(4, first=change).difference
    assert found is not None
    assert (found.level, found.step) == (level, 5)
    assert text in found.text
    assert found.remedies


def test_several_things_that_are_lacking_are_all_told() -> None:
    change = {"state": {}, "options": [{"lr": "0.1"}], "scaler": None}
    found = resumed(4, first=change).difference
    assert found is not None
    assert found.level == "optimizer"
    assert len(found.trail) == 2
    assert len(found.remedies) == 3


def test_a_generator_that_was_restored_and_then_drawn_from_is_told_apart() -> None:
    moved = {"rng": {"torch": "elsewhere", "numpy": "at 5"}}
    lost = resumed(4, first=moved, rng={"torch": "at 0"}).difference
    drawn = resumed(4, first=moved, rng={"torch": "at 4"}).difference
    assert lost is not None
    assert drawn is not None
    assert "stand elsewhere" in lost.text
    assert "restored, and then drawn from" in drawn.text


def test_parameters_of_two_moments_and_unknown_ones_are_named_by_tensor() -> None:
    torn = resumed(4, begins=[1004, 2005]).difference
    unknown = resumed(4, begins=[1004, 5]).difference
    assert torn is not None
    assert unknown is not None
    assert (torn.level, torn.tensor) == ("parameter", "first.weight")
    assert "first.weight is that of step 4, last.weight that of step 5" in torn.text
    assert (unknown.level, unknown.tensor) == ("parameter", "last.weight")
    assert "never seen" in unknown.text


def test_a_parameter_that_is_not_trained_says_nothing_of_the_moment() -> None:
    def frozen(call: int) -> list[dict[str, Any]]:
        return step(call, gradients=[1, 2, call], parameters=[1, 1000 + call, 2000 + call])

    whole = process([1, 0, 0], [frozen(call) for call in range(LAST)])
    torn = process([1, 1004, 2003], [frozen(call) for call in range(5, LAST)])
    found = compare([whole], [torn], False).difference
    assert found is not None
    assert "norm.mean is that of step 3, last.weight that of step 4" in found.text


def test_of_several_steps_with_equal_parameters_the_one_that_goes_on_alike_is_taken() -> None:
    """As in a warm-up that begins with a learning rate of 0."""
    still = [*parameters(-1), 7]
    whole = process(
        parameters(-1),
        [step(call, parameters=still) if call < 3 else step(call) for call in range(LAST)],
    )
    steps = [step(call, parameters=still) if call < 3 else step(call) for call in range(2, LAST)]
    found = compare([whole], [process(parameters(-1), steps)], False)
    assert (found.after, found.difference) == (1, None)


def test_a_run_that_goes_on_for_too_long_or_too_short_is_told_at_that_step() -> None:
    longer = compare(
        [WHOLE], [process(parameters(4), [step(call) for call in range(5, LAST + 2)])], False
    ).difference
    shorter = compare(
        [WHOLE], [process(parameters(4), [step(call) for call in range(5, LAST - 1)])], False
    ).difference
    assert longer is not None
    assert shorter is not None
    assert (longer.step, shorter.step) == (LAST, LAST - 1)
    assert "more steps" in longer.text
    assert "ends before" in shorter.text


def test_what_differs_at_the_end_alone_is_told() -> None:
    found = resumed(4, end={"torch": "end", "numpy": "elsewhere"}).difference
    assert found is not None
    assert (found.level, found.generator) == ("generator", "numpy")


def test_an_attempt_with_streams_of_its_own_is_held_to_its_state_only() -> None:
    steps = [step(call, rng={"torch": f"own {call}"}, gradients=[call, 1]) for call in range(5, 9)]
    attempt = process(parameters(4), steps, restart=[1])
    found = compare([WHOLE], [attempt], False, own_streams=True)
    assert (found.restart, found.after, found.difference) == ((1,), 4, None)
    lost = process(parameters(4), [step(5, state={}), *steps[1:]], restart=[1])
    difference = compare([WHOLE], [lost], False, own_streams=True).difference
    assert difference is not None
    assert difference.level == "optimizer"


@pytest.mark.parametrize(("kill", "grace"), [("KILL", 0.0), ("TERM", 30.0)])
def test_a_stopped_run_is_killed_after_the_time_that_its_signal_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: str, grace: float
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    watch = Watch(kill)
    assert not watch.is_over(tmp_path)
    now += 1000
    (tmp_path / STOPPED).touch()
    assert watch.is_over(tmp_path) == (grace == 0)
    now += max(grace - 1, 0)
    assert watch.is_over(tmp_path) == (grace == 0)
    now += 2
    assert watch.is_over(tmp_path)


def test_the_file_that_says_so_is_the_one_that_the_instrument_makes() -> None:
    assert stopping.STOPPED == STOPPED


def test_there_is_a_remedy_for_each_thing_that_may_be_lacking() -> None:
    assert {*LEVELS, OTHER, "none", "unreadable"} == RESUMING.keys()


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (range(5, LAST - 2), "the resumed run ends before the whole run does"),
        (range(5, LAST + 1), "the resumed run makes more steps than the whole run has"),
    ],
)
def test_a_run_with_streams_of_its_own_has_to_make_what_is_left(calls: range, said: str) -> None:
    steps = [step(call, gradients=[-call, call]) for call in calls]
    found = compare([WHOLE], [process(parameters(4), steps, restart=[1])], False, True)
    assert found.difference is not None
    assert found.difference.text.startswith(said)
