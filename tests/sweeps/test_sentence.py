"""What a paper says of a sweep, and how numbers are written."""

import re

import pytest

from seed_init.proof.sweeping.figures import Digits, digits_of, percent, probability, seeds

from .made import EFFECT, REPEATS, made, normal

VALUES = {0: 0.90, 1: 0.92, 2: 0.91, 3: 0.93, 4: 0.94, 5: 0.90, 6: 0.95}
WIDER = {0: 0.92, 1: 0.93, 2: 0.93, 3: 0.94, 4: 0.94, 5: 0.93, 6: 0.98}


def test_it_says_what_varied_how_many_runs_and_which_interval() -> None:
    assert made(VALUES)["sentence"] == (
        "python train.py was run once for each SEED of 0 to 6, the only setting that varied, and "
        "a repeated run gave the same bits. Accuracy: mean 0.921 [0.906, 0.941], n = 7, standard "
        "deviation 0.020. Brackets are 95 % intervals of the mean, by the bootstrap (BCa, 10,000 "
        "resamples, expanded for few runs)."
    )


def test_two_commands_are_compared_pair_by_pair() -> None:
    text = made(VALUES, WIDER)["sentence"]
    assert "python train.py and python train.py --wide were run once for each SEED" in text
    assert "with python train.py --wide mean 0.939 [" in text
    assert re.search(r"difference, paired by SEED, mean \+0\.017\d? \[\+0\.0\d+, \+0\.0\d+\]", text)
    assert "exact sign-flip test p = 0.031, better in 6 of 7 pairs and equal in 1." in text


@pytest.mark.parametrize("count", [1, 2, 5, 6, 21, 100])
@pytest.mark.parametrize("shift", [0.0, 0.001, 1.0])
def test_nothing_is_ever_called_significant(count: int, shift: float) -> None:
    run = normal(count)
    against = {n: each + shift for n, each in normal(count, seed=2).items()}
    assert "significan" not in made(run, against)["sentence"].lower()


def test_one_run_has_no_interval() -> None:
    text = made({7: 0.9})["sentence"]
    assert "was run with SEED 7" in text and "Accuracy: 0.9" in text and "in one run" in text
    assert "Brackets" not in text


def test_fewer_than_six_runs_have_the_interval_of_student() -> None:
    text = made(normal(5))["sentence"]
    assert text.endswith("Brackets are 95 % intervals of the mean, by Student's t.")


def test_equal_runs_have_no_interval_either() -> None:
    text = made(dict.fromkeys(range(4), 0.5))["sentence"]
    assert "Accuracy: 0.5" in text and "in each of 4 runs" in text


def test_failed_runs_and_those_without_a_number_are_counted() -> None:
    text = made({**VALUES, 3: None, 5: None}, failed={5: 1})["sentence"]
    assert "1 of 7 runs has failed, and has no part in this." in text
    assert "1 of 7 runs has no finite accuracy, and no part in it." in text
    assert "n = 5" in text


@pytest.mark.parametrize(
    "verdict, told", [("no", "SEED has no effect"), ("partly", "some seeds gave the same results")]
)
def test_a_seed_without_effect_is_told(verdict: str, told: str) -> None:
    weak = {**EFFECT, "verdict": verdict}
    checks = made(VALUES)["checks"] | {"seed_has_effect": {"run": weak, "against": None}}
    assert told in made(VALUES, checks=checks)["sentence"]


def test_a_run_that_does_not_repeat_is_told_with_its_share_of_the_variance() -> None:
    noise = {"accuracy": {"first": 0.9, "again": 0.92, "sd": 0.014, "share": 0.53, "least": 0.09}}
    repeats = {**REPEATS, "verdict": "differs", "noise": noise}
    text = made(VALUES, checks=made(VALUES)["checks"] | {"repeats": repeats})["sentence"]
    assert "but a repeated run gave other bits" in text
    assert "about 53 % (at least 9 %) of the variance being noise" in text


def test_many_pairs_have_the_error_of_their_test() -> None:
    text = made(normal(40), normal(40, seed=2, center=0.903))["sentence"]
    assert re.search(
        r"sign-flip test p = 0\.\d+ \(standard error 0\.\d+ by 100,000 random flips\)", text
    )
    far = made(normal(40), normal(40, seed=2, center=0.99))["sentence"]
    assert "p = 0.00001 (no flip of 100,000 random ones goes as far)" in far


def test_a_secret_in_a_command_is_not_told() -> None:
    text = made(VALUES, command=["python", "train.py", "--api-key", "s3cr3t"])["sentence"]
    assert "s3cr3t" not in text


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, spread, shown",
    [
        (0.91234, 0.0112, "0.912"),
        (0.91234, 0.00112, "0.9123"),
        (91.234, 11.2, "91"),
        (1234.5, 300.0, "1234"),
        (0.5, 0.0, "0.5000"),
        (0.0, 0.0, "0"),
        (-0.0001, 0.1, "0.00"),
        (1.5e9, 2e7, "1.500e+09"),
        (1.5e-9, 2e-11, "1.500e-09"),
        (None, 0.1, "-"),
    ],
)
def test_a_number_has_the_digits_that_its_spread_makes_sense_of(
    value: float | None, spread: float, shown: str
) -> None:
    assert Digits((value,), spread)(value) == shown


def test_the_interval_says_how_much_of_a_mean_is_known() -> None:
    found = {"mean": 0.91234, "sd": 0.0112}
    few, many = ({**found, "interval": ends} for ends in ([0.9, 0.92], [0.9122, 0.9125]))
    assert [digits_of(each)(0.91234) for each in (few, many)] == ["0.912", "0.91234"]
    assert digits_of({**found, "interval": None})(0.91234) == "0.912"


def test_a_sign_is_shown_where_there_is_one() -> None:
    digits = Digits((0.01,), 0.01)
    assert [digits.signed(each) for each in (0.01, -0.01, 0.0)] == ["+0.010", "-0.010", "0.000"]


@pytest.mark.parametrize(
    "p, error, shown",
    [
        (1.0, 0.0, "1.00"),
        (0.21, 0.0, "0.21"),
        (0.03125, 0.0, "0.031"),
        (0.001953125, 0.0, "0.0020"),
        (2 / 2**20, 0.0, "0.0000019"),
        (0.01234, 0.0004, "0.0123"),
        (0.0123, 0.005, "0.012"),
    ],
)
def test_a_p_has_the_digits_that_its_error_leaves(p: float, error: float, shown: str) -> None:
    assert probability(p, error) == shown


@pytest.mark.parametrize(
    "numbers, shown",
    [
        (range(10), "0 to 9"),
        ([3, 8, 12], "3, 8 and 12"),
        ([0, 1, 2, 7], "0 to 2 and 7"),
        ([7], "7"),
        ([2, 1], "1 and 2"),
        (range(0, 100, 2), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 38 more"),
    ],
)
def test_seeds_are_told_with_their_ranges(numbers: list[int], shown: str) -> None:
    assert seeds(numbers) == shown


@pytest.mark.parametrize("share, shown", [(0.53, "53 %"), (0.004, "0.4 %"), (0.0, "0 %")])
def test_a_share_is_told_in_percent(share: float, shown: str) -> None:
    assert percent(share) == shown
