"""How the benchmarks of single operators and switches measure."""

import time
from collections import Counter

from benchmarks.micro import blocks


def test_a_setting_that_is_slower_by_far_does_not_multiply_the_calls_of_a_fast_one() -> None:
    slow, calls = False, Counter[bool]()

    def put(value: bool) -> None:
        nonlocal slow
        slow = value

    def work() -> None:
        calls[slow] += 1
        time.sleep(0.02 if slow else 0)

    settings = {"fast": lambda: put(False), "slow": lambda: put(True)}
    blocks.in_turns(work, settings, rounds=2, block=0.02)
    # One call in each of three blocks, and some to find that out.
    assert calls[True] < 20


def test_every_setting_is_in_effect_during_its_own_blocks_and_is_measured_once_a_round() -> None:
    seen: dict[str, set[str]] = {"one": set(), "other": set()}
    current = ""

    def put(name: str) -> None:
        nonlocal current
        current = name

    def work() -> None:
        seen[current].add(current)

    settings = {name: lambda name=name: put(name) for name in seen}
    times = blocks.in_turns(work, settings, rounds=5, block=0.0001)
    assert {name: len(values) for name, values in times.items()} == {"one": 5, "other": 5}
    assert seen == {"one": {"one"}, "other": {"other"}}


def test_a_ratio_compares_blocks_of_the_same_round() -> None:
    # The machine was three times as slow in the second round: for both.
    times = {"base": [1.0, 3.0, 1.0], "other": [2.0, 6.0, 2.0]}
    assert blocks.ratio(times, "other", "base") == blocks.Quartiles(2.0, 2.0, 2.0)
    assert blocks.difference(times, "other", "base").median == 1.0
