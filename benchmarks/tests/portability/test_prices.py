# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of the prices of level `portable` measure, and how they tell it."""

import os

import pytest

from benchmarks.portability import price, variables
from seed_init.hook import portability


def test_a_ratio_is_told_by_its_median_and_its_spread() -> None:
    assert price.told([1.5, 1.0, 1.234]) == "1.23 (1.00–1.50)"


def test_an_arm_without_a_time_fails_and_is_not_left_out() -> None:
    assert price.told([]) == "fails"


def test_each_variable_is_one_of_the_level_with_the_value_of_the_level() -> None:
    wanted = {**portability.wanted({}), portability.WAITING: "PASSIVE"}
    shown = (*variables.OF_TORCH, *variables.OF_NUMPY)
    assert {name: variables.VALUES[name] for name in shown} == {
        name: wanted[name] for name in shown
    }


def test_the_arm_with_more_threads_than_the_level_has_other_threads() -> None:
    other = price.ARMS["portable, 4 threads"].variables["SEED_INIT_THREADS"]
    assert int(other) != portability.threads({})


@pytest.mark.parametrize("name", ["", *variables.OF_NUMPY])
def test_every_function_of_numpy_is_timed_with_each_variable(name: str) -> None:
    times = variables.seconds({**os.environ, **({name: variables.VALUES[name]} if name else {})})
    assert len(times) == 6
    assert min(times.values()) > 0
