"""The numbers that a SEED gives may never change: a table of them, for every place that draws.

`numbers_of_a_seed.json` has what programs/numbers_of_a_seed.py printed when the table was made. A
release that gives other numbers breaks every result that somebody has written down with its SEED.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer

from .support import program

TABLE: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("numbers_of_a_seed.json").read_text()
)


def name_of(case: dict[str, Any]) -> str:
    return "-".join([case["part"], *(f"{name}={text}" for name, text in case["env"].items())])


@pytest.mark.rotating(every=1)
@pytest.mark.torch
@pytest.mark.parametrize("case", TABLE, ids=name_of)
def test_a_seed_gives_the_numbers_that_it_has_always_given(
    case: dict[str, Any], python: Path, tmp_path: Path
) -> None:
    env = case["env"] | {"SEED_INIT_LOG": "quiet", "HOME": str(tmp_path)}
    told = answer(python, program("numbers_of_a_seed"), case["part"], env=env)
    assert told == case["numbers"]


def test_what_is_expected_of_one_place_is_expected_of_no_other() -> None:
    """Of one SEED no two streams meet, except where the program starts one over."""
    for case in TABLE:
        if case["part"] == "processes" and "SEED_INIT_CHILDREN" not in case["env"]:
            drawn = numbers_in(case["numbers"])
            assert len(set(drawn)) == len(drawn)


def numbers_in(told: Any) -> list[int]:
    if isinstance(told, int):
        return [told]
    parts = told.values() if isinstance(told, dict) else told
    return [number for part in parts for number in numbers_in(part)]
