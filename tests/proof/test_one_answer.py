# SPDX-License-Identifier: Apache-2.0
"""`verify`, `compare` and `report` say the same of two runs: which step, what of it, how many."""

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.comparing import comparison
from seed_init.proof.reporting import model
from seed_init.proof.reporting.view.report import report
from seed_init.proof.trace import journal, packing, records

from . import corpus, damage, test_nothing_in_common
from .answers import Answer, by_compare, by_report, by_verify

# The records of test_nothing_in_common are made by the same worker.
pytestmark = pytest.mark.xdist_group("corpus")


@pytest.fixture(scope="module")
def traced(
    python: Path, kept: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Path]]:
    """Name of a run -> `record` and `trace`: of real trainings, and of ranks without a run."""
    runs = corpus.of_training(python, kept)
    found = {name: {kind: Path(path) for kind, path in of.items()} for name, of in runs.items()}
    folder = tmp_path_factory.mktemp("ranks")
    for name, seed, ranks in (("ranks", 2, 2), ("other ranks", 3, 2), ("three ranks", 2, 3)):
        record, trace = folder / f"{name}.json", damage.trace(folder / name, seed, ranks=ranks)
        for file in trace.glob("*.jsonl"):
            # Where an instrument has failed `verify` takes no missing process for a difference.
            lines = file.read_text().splitlines(keepends=True)
            file.write_text("".join(line for line in lines if '"event": "failed"' not in line))
        records.write(record, records.assemble(trace))
        found[name] = {"record": record, "trace": trace}
    return found


TRAINED = ("one", "again", "seed", "longer", "scaled", "bias", "children", "children swapped")
RANKS = ("ranks", "other ranks", "three ranks")


@pytest.mark.torch
@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param(a, b, id=f"{a} and {b}")
        for names in (TRAINED, RANKS)
        for a, b in combinations(names, 2)
    ],
)
def test_all_three_commands_say_the_same_of_two_runs(
    traced: dict[str, dict[str, Path]], tmp_path: Path, a: str, b: str
) -> None:
    one, other = traced[a], traced[b]
    wanted = by_verify(one["trace"], other["trace"], tmp_path)
    for kinds in (("trace", "trace"), ("record", "record"), ("record", "trace")):
        pair = one[kinds[0]], other[kinds[1]]
        assert by_compare(*pair) == wanted
        assert by_report(*pair) == wanted


@pytest.mark.torch
def test_the_pairs_that_once_had_several_answers_have_the_right_one(
    traced: dict[str, dict[str, Path]], tmp_path: Path
) -> None:
    def answer(a: str, b: str) -> Answer | None:
        return by_verify(traced[a]["trace"], traced[b]["trace"], tmp_path)

    step = corpus.SCALED
    assert answer("one", "scaled") == Answer(
        f"first observed at step {step}: the gradient 0.weight and 3 of 3 others differ",
        *(step, "0.weight", 3),
    )
    assert answer("one", "bias") == Answer(
        "first observed at step 0: the parameter 0.bias differs before the first step",
        *(0, "0.bias", 0),
    )
    # Child programs belong together by their command lines, whichever is started first.
    assert answer("children", "children swapped") is None
    assert answer("one", "again") is None


@pytest.mark.slow
def test_records_without_a_step_have_one_answer_too(python: Path, kept: Path) -> None:
    of = test_nothing_in_common.records_of(python, kept)
    # The report puts a run that failed first.
    names = [name for name in of if name != "failed shell"]
    answers = {
        pair: (by_compare(*files), by_report(*files))
        for pair in permutations(names, 2)
        for files in [(Path(of[pair[0]]), Path(of[pair[1]]))]
    }
    assert [pair for pair, (one, other) in answers.items() if one != other] == []
    assert len({one for one, _ in answers.values()}) > 1


# --- what was not seen, because an instrument failed ----------------------------------------

Events = list[dict[str, Any]]


def _changed(folder: Path, change: Callable[[Events], Any] | None, failed: bool) -> dict[str, Path]:
    """Return `record` and `trace` of a run whose program wrote something else.

    Args:
        folder: is made.
        change: changes the events of the program; None for nothing.
        failed: keep the event of the instrument that failed.
    """
    made = damage.trace(folder, 5)
    program = min(made.glob("*.jsonl"))
    events = [json.loads(line) for line in program.read_text().splitlines()]
    if not failed:
        events = [event for event in events if event["event"] != "failed"]
    if change is not None:
        change(events)
    program.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    record = folder.with_suffix(".json")
    records.write(record, records.assemble(made))
    return {"record": record, "trace": made}


def _steps(events: Events, optimizer: int = 0) -> Events:
    return [each for each in events if each["event"] == "step" and each["optimizer"] == optimizer]


def _without_last_step(events: Events) -> None:
    events.remove(_steps(events)[-1])


def _without_first_step(events: Events) -> None:
    events.remove(_steps(events)[0])


def _without_start(events: Events) -> None:
    events[:] = [event for event in events if event["event"] != "start"]


def _without_loss(events: Events) -> None:
    _steps(events)[1]["loss"] = []


def _without_gradients(events: Events) -> None:
    del _steps(events)[1]["gradients"]


def _without_second_optimizer(events: Events) -> None:
    for step in _steps(events, 1):
        events.remove(step)


def _without_finals(events: Events) -> None:
    events[-1]["final"] = []


def _in_another_order(events: Events) -> None:
    step = _steps(events, 1)[0]
    events.remove(step)
    events.insert(events.index(_steps(events)[-1]), step)


def _answers(one: dict[str, Path], other: dict[str, Path], folder: Path) -> set[Answer | None]:
    """What all three commands say, of traces and of records."""
    found = {by_verify(one["trace"], other["trace"], folder)}
    for kinds in (("trace", "trace"), ("record", "record"), ("record", "trace")):
        pair = one[kinds[0]], other[kinds[1]]
        found |= {by_compare(*pair), by_report(*pair)}
    return found


@pytest.mark.parametrize(
    "change",
    [
        *(_without_last_step, _without_first_step, _without_start, _without_loss),
        *(_without_gradients, _without_second_optimizer, _without_finals, _in_another_order),
    ],
)
def test_what_one_run_lacks_is_a_difference_only_if_no_instrument_failed(
    tmp_path: Path, change: Callable[[Events], Any]
) -> None:
    whole, lacking = (
        [_changed(tmp_path / f"{name} {failed}", each, failed) for failed in (False, True)]
        for name, each in (("whole", None), ("lacking", change))
    )
    [answer] = _answers(whole[False], lacking[False], tmp_path / "seen")
    assert answer is not None
    for failed in ((True, True), (True, False), (False, True)):
        pair = whole[failed[0]], lacking[failed[1]]
        assert _answers(*pair, tmp_path / "unseen") == {None}
        files = [each["record"] for each in pair]
        # Nothing differs, and nothing is proven.
        assert comparison.compare(*files).verdict == comparison.UNPROVEN
        assert report(files).verdict.word == model.UNPROVEN


def test_what_differs_is_a_difference_though_an_instrument_failed_before(tmp_path: Path) -> None:
    def other(events: Events) -> None:
        _without_first_step(events)
        _steps(events)[-1]["parameters"] = _steps(events)[0]["parameters"]

    pair = _changed(tmp_path / "one", None, True), _changed(tmp_path / "other", other, True)
    [answer] = _answers(*pair, tmp_path)
    assert answer is not None and (answer.step, answer.others) == (3, 3)
    [shown] = report([each["record"] for each in pair]).differences
    # Not that all steps before were equal: one of them was seen in one run alone.
    assert shown.trail[0] == "Before, all steps that both have are equal."


def _with_unreadable(events: Events) -> None:
    for kind in ("gradients", "parameters"):
        raw = bytearray(b64decode(_steps(events)[1][kind]))
        struct.pack_into("<q", raw, 8 * 2, journal.UNREADABLE)
        _steps(events)[1][kind] = b64encode(raw).decode()


@pytest.mark.parametrize("columns", [packing.COLUMNS_MOST, 2])
def test_a_tensor_that_one_run_could_not_read_is_no_difference_in_records_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    def changed(events: Events) -> None:
        _with_unreadable(events)
        _steps(events)[1]["parameters"] = _steps(events)[0]["parameters"]

    # In the record of a long run a column stands for several tensors.
    monkeypatch.setattr(packing, "COLUMNS_MOST", columns)
    one = _changed(tmp_path / "one", None, True)
    other = _changed(tmp_path / "other", _with_unreadable, True)
    assert _answers(one, other, tmp_path / "unseen") == {None}
    assert _answers(other, other, tmp_path / "equal") == {None}
    assert comparison.compare(one["record"], other["record"]).verdict == comparison.UNPROVEN
    # The readable tensors of the same step are compared.
    differing = _changed(tmp_path / "differing", changed, True)
    answers = _answers(one, differing, tmp_path / "seen")
    assert {answer and answer.step for answer in answers} == {1}


def test_a_trace_that_could_not_be_written_to_its_end_proves_nothing(tmp_path: Path) -> None:
    one = _changed(tmp_path / "one", None, False)
    other = _changed(tmp_path / "other", _without_last_step, False)
    for trace, record in ((one["trace"], one["record"]), (other["trace"], other["record"])):
        max(trace.glob("*.jsonl")).with_suffix(".lost").touch()
        records.write(record, records.assemble(trace))
    assert _answers(one, other, tmp_path / "runs") == {None}
    found = comparison.compare(one["record"], one["record"])
    assert found.verdict == comparison.UNPROVEN
    assert "process 101 could not be written to its end" in found.failures[0]
    # A process that could not even make its file is missed as well.
    alone = _changed(tmp_path / "alone", None, False)["trace"]
    (alone / "99-999.lost").touch()
    found = comparison.compare(alone, alone)
    assert found.verdict == comparison.UNPROVEN and "process 999" in found.failures[0]
