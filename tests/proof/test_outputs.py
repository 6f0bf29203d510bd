"""Two outputs, line by line."""

from pathlib import Path

import pytest

from seed_init.proof.comparing import output_lines
from seed_init.proof.comparing.output_lines import Line


def test_equal_outputs_have_no_first_difference() -> None:
    done = output_lines.compare(b"a\nb\n", b"a\nb\n")
    assert (done.first, done.lines, done.left_out) == (None, 2, 0)
    assert done.as_line() == "standard output: 2 lines the same"


def test_the_first_different_line_is_named_with_both_texts() -> None:
    done = output_lines.compare(b"a\nloss 1\nx\n", b"a\nloss 2\ny\n")
    assert done.first == (Line(2, "loss 1"), Line(2, "loss 2"))
    assert done.as_line(("base", "hash seed")) == (
        "standard output differs: base line 2: loss 1; hash seed line 2: loss 2"
    )


def test_an_output_that_ends_earlier_differs() -> None:
    done = output_lines.compare(b"a\n", b"a\nb\n")
    assert done.first == (None, Line(2, "b"))
    assert "run 1 has nothing more" in done.as_line()


def test_a_missing_end_of_the_last_line_is_a_difference_that_is_told() -> None:
    done = output_lines.compare(b"a\n", b"a")
    assert done.first == (
        Line(1, "a (with the end of the line)"),
        Line(1, "a (without the end of the line)"),
    )


def test_lines_that_match_are_left_out_on_both_sides_and_numbers_stay_those_of_the_output() -> None:
    first = b"took 1 s\na\nb\n"
    second = b"a\ntook 2 s\ntook 3 s\nc\n"
    done = output_lines.compare(first, second, ["^took", "never"])
    assert done.first == (Line(3, "b"), Line(4, "c"))
    assert (done.lines, done.left_out) == (2, 3)


def test_an_expression_that_is_none_is_refused_in_one_line() -> None:
    with pytest.raises(output_lines.BadPattern) as refused:
        output_lines.compare(b"", b"", ["fine", "("])
    text = str(refused.value)
    assert text.startswith("'(' is no regular expression (missing ), unterminated subpattern")
    assert "\n" not in text


def test_bytes_that_are_no_text_compare_and_are_shown_escaped() -> None:
    done = output_lines.compare(b"\xff\x1b[31m\n", b"\xfe\x1b[31m\n", ["x"])
    assert done.first == (Line(1, "\\xff\\x1b[31m"), Line(1, "\\xfe\\x1b[31m"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"\xff", b"\\xff"),  # a byte, and a text of four characters
        (b"\x01" * 150 + b"1", b"\x01" * 150 + b"2"),
        ("\u202e".encode() * 90 + b"1", "\u202e".encode() * 90 + b"2"),
        (b"x" * 300 + b"\x80" * 300, b"x" * 300 + b"\x80" * 299 + b"\x81"),
        (b"x" * 300 + b"\xe2\x82\xac", b"x" * 300 + b"\xe2\x82\xad"),
        (b"x" * 300, b"x" * 301),
    ],
)
def test_lines_that_differ_are_never_shown_as_equal(first: bytes, second: bytes) -> None:
    [one, other] = output_lines.compare(first, second).first or ()
    assert one is not None and other is not None
    assert one.text != other.text
    assert one.text.isprintable() and len(one.text) < 2 * output_lines.WIDTH


def test_a_long_line_is_shown_where_it_differs_within_a_character_or_not() -> None:
    same = "ä" * 5000
    done = output_lines.compare(f"{same}1{same}".encode(), f"{same}2{same}".encode())
    assert done.first is not None
    for line, wanted in zip(done.first, "12"):
        assert line is not None
        assert line.text.startswith("...ä") and line.text.endswith("ä...")
        assert f"ä{wanted}ä" in line.text
        assert len(line.text) <= output_lines.WIDTH + 6


def test_without_order_only_the_lines_and_how_often_they_come_count() -> None:
    done = output_lines.compare(b"a\nb\na\n", b"b\na\na\n", unordered=True)
    assert done.first is None
    assert "without their order" in done.as_line()
    done = output_lines.compare(b"a\nb\na\n", b"b\na\nb\n", unordered=True)
    assert done.first == (Line(3, "a"), Line(3, "b"))
    done = output_lines.compare(b"a\nb\n", b"b\n", unordered=True)
    assert done.first == (Line(1, "a"), None)


def test_files_compare_as_bytes_do(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"a\n")
    second.write_bytes(b"b\n")
    assert output_lines.compare(first, second) == output_lines.compare(b"a\n", b"b\n")
