# SPDX-License-Identifier: Apache-2.0
"""What the tables of the portability benchmark call equal, and what they report."""

from pathlib import Path

import pytest

from benchmarks.portability import emulators, results, table

HERE = {
    "op add float32": {"0.forward": "a1", "0.backward": "b1"},
    "op mul float32": {"0.forward": "c1"},
    "op put float32": {"": "error RuntimeError"},
}


def changed(case: str, **parts: str) -> table.Results:
    """What another machine has that differs in some parts of one case."""
    digests = {name.replace("_", "."): digest for name, digest in parts.items()}
    return {**HERE, case: {**HERE[case], **digests}}


def test_equal_results_are_equal_and_what_both_refuse_is_counted() -> None:
    found = table.compare(HERE, HERE, 3)
    assert found.is_equal
    assert (found.cases, found.digests, found.count) == (3, 4, 0)
    assert found.refused == ["op put float32"]


def test_a_difference_is_reported_by_its_name() -> None:
    found = table.compare(HERE, changed("op add float32", **{"0.backward": "other"}), 3)
    assert not found.is_equal
    assert found.differs == {"op add float32": ["0.backward"]}
    text = table.markdown("census", "cases", [table.Row("EPYC", "native", found)])
    assert "| EPYC | native | 1 of 3 |" in text
    assert "`op add float32 (backward)`" in text


@pytest.mark.parametrize("is_reference", [True, False])
def test_a_case_that_one_machine_lacks_is_reported(is_reference: bool) -> None:
    fewer = {case: HERE[case] for case in HERE if case != "op mul float32"}
    found = table.compare(*((fewer, HERE) if is_reference else (HERE, fewer)), 1)
    assert not found.is_equal
    assert found.missing == ["op mul float32"]
    text = table.markdown("census", "cases", [table.Row("EPYC", "native", found)])
    assert "1 missing on one of the two" in text
    assert "`op mul float32`" in text


@pytest.mark.parametrize("is_reference", [True, False])
def test_a_part_that_one_machine_lacks_is_reported(is_reference: bool) -> None:
    fewer = {**HERE, "op add float32": {"0.forward": "a1"}}
    found = table.compare(*((fewer, HERE) if is_reference else (HERE, fewer)), 3)
    assert not found.is_equal
    assert found.missing == ["op add float32 (0.backward)"]


@pytest.mark.parametrize(
    "other",
    [
        {"0.": "error RuntimeError"},  # the sample has no outputs on the other machine
        {"0.forward": "a1", "0.backward": "error RuntimeError"},
        {"": "error ProcessDied"},
    ],
)
def test_an_error_on_one_machine_only_is_reported_and_is_no_difference(
    other: results.Digests,
) -> None:
    found = table.compare(HERE, {**HERE, "op add float32": other}, 3)
    assert not found.is_equal
    assert found.one_error
    assert not found.differs


def test_two_kinds_of_error_are_reported() -> None:
    found = table.compare(HERE, {**HERE, "op put float32": {"": "error TypeError"}}, 3)
    assert not found.is_equal
    assert found.one_error == ["op put float32"]


def test_what_only_the_level_refuses_is_named() -> None:
    level = {**HERE, "op mul float32": {"0.": "error RuntimeError"}}
    assert table.refused(level, HERE) == ["op mul float32"]
    assert table.refused(HERE, HERE) == []


def test_nothing_is_not_equal_to_nothing() -> None:
    found = table.compare({}, {}, 3)
    assert not found.is_equal
    assert "TOO FEW: 0 cases of at least 3" in table.others(found)


def test_an_incomplete_machine_is_not_measured() -> None:
    text = table.markdown("census", "cases", [table.Row("EPYC", "native", None)])
    assert "| EPYC | native | not measured |" in text


def test_a_case_whose_process_died_is_read_as_an_error_and_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "census.jsonl"
    file = results.File(path)
    file.start("one")
    file.add("one", {"": "a1"})
    file.start("two")  # and then the process is gone
    ran: list[str] = []

    def case(name: str) -> results.Case:
        def run() -> results.Digests:
            ran.append(name)
            return {"": "b1"}

        return run

    names = ("one", "two", "three")
    assert results.run("test", results.File(path), [(n, case(n)) for n in names], 60) == 0
    assert ran == ["three"]
    assert results.read(path)["two"] == {"": results.DIED}


def test_a_run_whose_time_is_over_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    file = results.File(tmp_path / "census.jsonl")
    status = results.run("test", file, [("one", lambda: {"": "a1"})], 0)
    assert status == results.UNFINISHED
    assert file.known == {}


def test_a_wrong_instruction_and_a_short_check_are_named() -> None:
    lines = [f"addps{number} 0123" for number in range(emulators.LEAST_LINES)]
    assert emulators.wrong_instructions(lines, lines) == []
    assert emulators.wrong_instructions(lines, [*lines[:-1], "addps69 9999"]) == ["addps69"]
    assert emulators.wrong_instructions(lines, lines[:-1]) == ["69 of 70 instructions"]
    assert emulators.wrong_instructions(lines[:9], lines[:9]) == ["9 of 70 instructions"]
