"""A sweep as a picture: what is drawn is what the file has."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from seed_init.proof.sweeping.picture import Axis, picture

from .made import large, made, normal

SVG = "{http://www.w3.org/2000/svg}"


def drawn(sweep: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(picture(sweep))


def of_class(tree: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in tree.iter() if each.get("class") == name]


def words(tree: ElementTree.Element) -> str:
    return "\n".join(each.text or "" for each in tree.iter(f"{SVG}text"))


def test_each_run_has_a_mark_that_names_its_seed_and_value() -> None:
    tree = drawn(made({3: 0.91, 5: 0.93, 9: 0.92}))
    marks = of_class(tree, "run")
    assert [mark.findtext(f"{SVG}title") for mark in marks] == [
        *("SEED 3: 0.9100", "SEED 5: 0.9300", "SEED 9: 0.9200")
    ]
    left, right, middle = (float(mark.get("cx") or 0) for mark in marks)
    assert left < middle < right
    assert middle - left == pytest.approx(right - middle, abs=0.2)


def test_the_interval_and_the_mean_are_where_the_file_has_them() -> None:
    sweep = made(normal(10))
    found = sweep["statistics"]["accuracy"]["run"]
    tree = drawn(sweep)
    (path,) = of_class(tree, "interval")
    low, high = map(float, re.findall(r"[MH]([\d.]+)", path.get("d") or ""))
    (center,) = (float(mark.get("cx") or 0) for mark in of_class(tree, "mean"))
    low_value, high_value = found["interval"]
    share = (found["mean"] - low_value) / (high_value - low_value)
    assert center == pytest.approx(low + share * (high - low), abs=0.2)


def test_the_runs_of_one_seed_are_joined_and_their_differences_drawn_against_zero() -> None:
    tree = drawn(made({0: 0.5, 1: 0.6, 2: 0.7}, {0: 0.6, 1: 0.6, 2: None}))
    assert len(of_class(tree, "joined")) == 2
    assert [len(of_class(tree, name)) for name in ("run", "against", "apart")] == [3, 2, 2]
    (zero,) = of_class(tree, "zero")
    first = float(of_class(tree, "apart")[1].get("cx") or 0)
    assert float(zero.get("x1") or 0) == pytest.approx(first, abs=0.1)
    assert len(of_class(tree, "interval")) == 3
    assert "sign-flip test p = 1.00" in words(tree)


def test_the_second_run_of_the_first_seed_is_no_other_run() -> None:
    sweep = made({0: 0.5, 1: 0.6})
    sweep["runs"].append({**sweep["runs"][0], "again": True, "metrics": {"accuracy": 0.7}})
    marks = of_class(drawn(sweep), "run")
    assert [mark.findtext(f"{SVG}title") for mark in marks] == ["SEED 0: 0.5000", "SEED 1: 0.6000"]


def test_marks_of_equal_values_lie_beside_each_other() -> None:
    tree = drawn(made(dict.fromkeys(range(9), 0.5)))
    heights = {mark.get("cy") for mark in of_class(tree, "run")}
    assert len(heights) == 9


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_any_number_of_runs_stays_within_the_picture(count: int) -> None:
    sweep = large(count) if count > 100 else made(normal(count), normal(count, seed=2))
    tree = drawn(sweep)
    width, height = (float(tree.get(name) or 0) for name in ("width", "height"))
    for kind in ("run", "against", "apart"):
        marks = of_class(tree, kind)
        assert len(marks) == count
        assert all(0 < float(mark.get("cx") or 0) < width for mark in marks)
        assert all(0 < float(mark.get("cy") or 0) < height for mark in marks)
    assert len(picture(sweep)) < 600_000


def test_a_sweep_without_a_number_says_so() -> None:
    tree = drawn(made({0: None, 1: None}))
    assert "No run has a metric to draw." in words(tree)


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-300, 1.6e308, -1.6e308])
def test_values_at_the_ends_of_the_range_are_drawn(value: float) -> None:
    for other in (value, -value, 0.0):
        tree = drawn(made({0: value, 1: other}, {0: other, 1: value}))
        assert len(of_class(tree, "run")) == 2


def test_text_of_the_user_is_text_and_no_markup() -> None:
    bad = "<script>alert('\x1b[31m')</script>"
    sweep = made(normal(3), name=bad, command=["python", bad])
    text = picture(sweep)
    assert "<script" not in text and "\x1b" not in text
    assert "<script>" in words(ElementTree.fromstring(text))


def test_it_fetches_nothing() -> None:
    text = picture(made(normal(3), normal(3)))
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    "low, high", [(0.0, 1.0), (0.897, 0.941), (-2.0, 5e6), (1e-9, 3e-9), (-1e308, 1e308)]
)
def test_an_axis_has_some_round_ticks(low: float, high: float) -> None:
    ticks = Axis(low, high).ticks()
    assert 2 <= len(ticks) <= 8
    room = 1e-12 * max(abs(low), abs(high))
    assert all(low - room <= tick <= high + room for tick in ticks)
