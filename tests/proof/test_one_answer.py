# SPDX-License-Identifier: Apache-2.0
"""`verify`, `compare` and `report` say the same of two runs: which step, what of it, how many."""

from itertools import combinations, permutations
from pathlib import Path

import pytest

from seed_init.proof.trace import records

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
