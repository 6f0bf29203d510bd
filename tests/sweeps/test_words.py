"""What `{seed}` and `{dir}` become, and which names lead two runs to one file."""

from pathlib import Path

import pytest

from seed_init.proof.sweeping import words

OUT = Path("/sweeps/train/run/seed-7/out")


@pytest.mark.parametrize(
    ("word", "first", "again"),
    [
        ("{seed}", "7", "7"),
        ("--seed={seed}", "--seed=7", "--seed=7"),
        ("+trainer.seed={seed}", "+trainer.seed=7", "+trainer.seed=7"),
        ("-s{seed}", "-s7", "-s7"),
        ("runs/{seed}", "runs/7", "runs/7-again"),
        ("--out=runs/{seed}/a", "--out=runs/7/a", "--out=runs/7-again/a"),
        ("run-{seed}.log", "run-7.log", "run-7-again.log"),
        ('{"seed": {seed}}', '{"seed": 7}', '{"seed": 7}'),
        ('{"seed":{seed},"out":"runs/{seed}"}', '{"seed":7,"out":"runs/7"}', None),
        ("a.py --seed {seed}; b.py {seed}", "a.py --seed 7; b.py 7", None),
        ("f(range({seed}), {seed}+1, [{seed}])", "f(range(7), 7+1, [7])", None),
        ("seed={seed},lr=0.1", "seed=7,lr=0.1", None),
        ("runs/{seed}:/out", "runs/7:/out", "runs/7-again:/out"),
        ("--run=r{seed}", "--run=r7", "--run=r7-again"),
        ("{dir}/x", f"{OUT}/x", f"{OUT}/x"),
        ("{other} {}", "{other} {}", "{other} {}"),
        (
            "python a.py --seed {seed} --out 'runs/{seed}'",
            "python a.py --seed 7 --out 'runs/7'",
            "python a.py --seed 7 --out 'runs/7-again'",
        ),
    ],
)
def test_a_name_with_a_seed_is_another_one_in_the_second_run(
    word: str, first: str, again: str | None
) -> None:
    assert words.filled([word], 7, OUT, inputs=()) == (first,)
    expected = first.replace("runs/7", "runs/7-again") if again is None else again
    assert words.filled([word], 7, OUT, again=True, inputs=()) == (expected,)


def test_what_is_there_before_the_first_run_is_read_and_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "fold-7.csv").touch()
    command = ["--data=fold-{seed}.csv", "--out", "runs/{seed}"]
    inputs = words.inputs(command, 7, tmp_path)
    assert inputs == ["fold-7.csv"]
    again = words.filled(command, 7, OUT, again=True, inputs=inputs)
    assert again == ("--data=fold-7.csv", "--out", "runs/7-again")


def test_what_lies_below_an_input_is_an_input() -> None:
    name = ["runs/{seed}/metrics.json"]
    assert words.filled(name, 7, OUT, again=True, inputs=["runs/7"]) == ("runs/7/metrics.json",)


def test_names_that_two_commands_share_are_found_and_numbers_are_not() -> None:
    first = ["--seed", "{seed}", "--out", "runs/{seed}", "--data", "fold-{seed}"]
    second = ["--seed={seed}", "--out=runs/{seed}", "--data", "fold-{seed}", "{dir}/{seed}"]
    assert words.common_names(first, second, 7, ["fold-7"]) == ["runs/{seed}"]
    assert words.common_names(first, ["--out=wide/{seed}"], 7, []) == []


def test_what_a_sweep_has_written_is_no_input_of_its_later_seeds() -> None:
    command = ["--data=fold-{seed}.csv", "--out", "runs/{seed}"]
    assert words.inputs_of_another_seed(command, ["fold-0.csv"], 0, 1) == ["fold-1.csv"]
