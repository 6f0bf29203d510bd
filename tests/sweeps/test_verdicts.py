"""The verdicts of the checks, on runs whose output and weights are written here.

tests/sweeps/test_checks.py asks real programs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.sweeping import checks, metrics, plan, rows
from seed_init.proof.sweeping.given import Lines
from seed_init.proof.sweeping.ledger import Folder

PLACE = {"function": "random.seed", "place": "/home/train.py:1", "given": "3"}
ACCURACY = "acc (.*)"


def checked(
    folder: Path,
    outputs: Sequence[str],
    metric: str | None = None,
    *,
    places: Sequence[dict[str, str]] = (),
    weights: Sequence[str] = (),
    repeat: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """The checks of a sweep whose runs gave this: the first seed, again, the second seed, ..."""
    sweep = Folder(folder)
    seeds = tuple(range(len(outputs) - repeat))
    read = (metrics.parse(metric),) if metric else ()
    words = ("python", "train.py", "{dir}/a", "runs/{seed}")
    sweep.write_plan(plan.Plan("x", "/home", words, seeds, metrics=read, repeat=repeat))
    for task, output in zip(sweep.plan().tasks(), outputs):
        directory = sweep.directory(task)
        directory.mkdir(parents=True)
        (directory / "stdout.txt").write_text(output)
        (directory / "stderr.txt").touch()
        digest = weights[task.index] if weights else None
        content = {
            "status": 0,
            "how": "exit",
            "seconds": 1.0,
            "observed": 1,
            "results": {"steps": 0, "weights": 1, "digest": digest} if digest else None,
            "seeded_by_program": list(places),
            "not_covered": [],
            "wrote": [],
            **more,
        }
        sweep.write_row(task, content)
    return checks.of(rows.read(sweep))


def timed(*losses: int) -> list[str]:
    """Outputs in which times differ from run to run."""
    return [f"time {n}\nloss {loss}\nepochs 2\ntook {3 * n} s\n" for n, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("outputs", "more", "effect", "repeats"),
    [
        # Times say nothing, and that all else is the same may be all that is printed.
        (timed(5, 5, 5, 5), {}, "unproven", "unproven"),
        (timed(5, 5, 5, 5), {"places": [PLACE]}, "no", "unproven"),
        # A number of few digits may be the same by chance, or because it can be no better.
        (timed(5, 5, 5, 5), {"metric": r"loss (\d)"}, "unproven", "unproven"),
        (timed(*[54321] * 4), {"metric": r"loss (\d+)"}, "no", "unproven"),
        (timed(5, 5, 6, 7), {}, "yes", "unproven"),
        (timed(5, 5, 6, 7), {"metric": r"loss (\d)"}, "yes", "unproven"),
        # Noise differs from seed to seed as well.
        (timed(5, 6, 7, 8), {"metric": r"loss (\d)"}, "unproven", "differs"),
        (timed(5, 6, 7), {"metric": r"loss (\d)", "repeat": False}, "unproven", "unproven"),
        (["", "", "", ""], {}, "unproven", "unproven"),
        (["done\n"] * 4, {}, "unproven", "same"),
        (["acc 1\n"] * 3, {"metric": ACCURACY}, "unproven", "same"),
        (["acc 1\n"] * 4, {"metric": ACCURACY}, "unproven", "same"),
        (["acc 1\n"] * 4, {"metric": ACCURACY, "places": [PLACE]}, "no", "same"),
        (["acc 1\n"] * 4, {"metric": ACCURACY, "observed": 0}, "no", "same"),
        (["acc 0.97531\n"] * 3, {"metric": ACCURACY}, "no", "same"),
        (["acc nan\n"] * 4, {"metric": ACCURACY}, "unproven", "same"),
        (["acc nan\n", "acc nan\n", "acc 1\n"], {"metric": ACCURACY}, "yes", "same"),
        # What is printed beside a metric may be a name.
        ([f"to {n}\nacc 0.97531\n" for n in "aabc"], {"metric": ACCURACY}, "no", "same"),
        ([f"to {n}\nacc 1\n" for n in "aabc"], {"metric": ACCURACY}, "unproven", "same"),
        # A metric that only one of the two runs has is no other result.
        (["acc 1\n", "\n", "acc 2\n"], {"metric": ACCURACY}, "unproven", "unproven"),
        (["acc 1\n", "acc nan\n", "acc 2\n"], {"metric": ACCURACY}, "unproven", "differs"),
        (["acc 1\n", "acc 1\n", "acc 1\n", "acc 2\n"], {"metric": ACCURACY}, "yes", "same"),
        # The weights decide where there are some.
        (["a\n"] * 3, {"weights": "ddd"}, "no", "same"),
        (["a\n"] * 3, {"weights": "dde"}, "yes", "same"),
        (["a\n"] * 4, {"weights": "ddee"}, "partly", "same"),
        (["a\n"] * 3, {"weights": "dce"}, "unproven", "differs"),
        (["acc 1\n", "acc 1\n", "acc 2\n"], {"metric": ACCURACY, "weights": "ddd"}, "yes", "same"),
        (["acc 1\n", "acc 2\n", "acc 3\n"], {"metric": ACCURACY, "weights": "ddd"},
         "unproven", "differs"),
        (timed(5, 5, 5), {"weights": "ddd"}, "no", "same"),
    ],
)  # fmt: skip
def test_a_verdict_rests_on_what_was_seen(
    tmp_path: Path, outputs: list[str], more: dict[str, Any], effect: str, repeats: str
) -> None:
    found = checked(tmp_path, outputs, **more)
    verdicts = found["seed_has_effect"]["run"]["verdict"], found["repeats"]["verdict"]
    assert verdicts == (effect, repeats), found


def test_names_and_printed_seeds_are_no_results(tmp_path: Path) -> None:
    outputs = [
        f"seed: {seed} {tmp_path}/run/seed-{name}/out/a runs/{name}\n"
        for seed, name in ((0, "0"), (0, "0-again"), (1, "1"), (2, "2"))
    ]
    found = checked(tmp_path, outputs)
    effect = found["seed_has_effect"]["run"]
    assert (effect["verdict"], effect["identical"]) == ("unproven", [[0, 1, 2]])
    assert found["repeats"]["verdict"] == "same"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("SEED=7 x", "SEED={seed} x"),
        ("{'random_seed': 7}", "{'random_seed': {seed}}"),
        ("seeds 7", "seeds {seed}"),
        ("seed 70, epoch 7", "seed 70, epoch 7"),
        ("to runs/7/model.pt", "to {name}/model.pt"),
        ("linseed 7", "linseed 7"),
    ],
)
def test_a_seed_is_known_by_the_word_before_it(tmp_path: Path, line: str, shown: str) -> None:
    (tmp_path / "output").write_text(line)
    assert list(Lines(7, ["runs/7"]).of(tmp_path / "output")) == [shown]


def test_a_run_that_failed_leaves_the_repeat_unproven(tmp_path: Path) -> None:
    found = checked(tmp_path, ["acc 1\n"] * 3, ACCURACY, status=1, last_line="no memory")
    assert found["repeats"]["verdict"] == "unproven"
    assert found["repeats"]["text"] == (
        "the run of seed 0 ended with exit status 1; its last line: no memory"
    )
    assert found["seed_has_effect"]["run"]["text"] == "fewer than two seeds have ended well"


def test_a_run_that_lacks_a_metric_is_named_with_the_reason(tmp_path: Path) -> None:
    found = checked(tmp_path, ["acc 1\n", "killed\n", "acc 2\n"], ACCURACY)
    told = "the run of seed 0 again lacks acc: no match of 'acc (.*)' in "
    assert found["repeats"]["text"].startswith(told)
    assert told in found["seed_has_effect"]["run"]["text"]


def test_how_many_results_there_were_is_counted(tmp_path: Path) -> None:
    outputs = [f"acc {n}\n" for n in (1, 1, 1, 2, 2)]
    found = checked(tmp_path, outputs, ACCURACY)["seed_has_effect"]["run"]
    assert found["text"] == "4 seeds gave 2 different results (metrics)"
