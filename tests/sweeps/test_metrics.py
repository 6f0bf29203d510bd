"""Numbers that are read from what a run has left."""

import json
from pathlib import Path

import pytest

from seed_init.proof.sweeping import metrics


def read(
    place: Path, source: str, stdout: str = "", stderr: str = "", file: str | None = None
) -> metrics.Value:
    (place / "stdout.txt").write_text(stdout)
    (place / "stderr.txt").write_text(stderr)
    if file is not None:
        (place / "kept").write_text(file)
    return metrics.read(
        metrics.parse(source),
        place / "stdout.txt",
        place / "stderr.txt",
        place / "kept" if file is not None else None,
    )


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("test accuracy: ([0-9.]+)", "test accuracy"),
        (r"^val_loss=(\S+)", "val_loss"),
        (r"\d+", r"\d+"),
        (r"epoch 9\s+(?:loss) (.*)", "epoch 9"),
        ("metrics.json:/test_accuracy", "test_accuracy"),
        ("{dir}/m.json:/a/b~1c", "b/c"),
    ],
)
def test_a_metric_is_named_by_its_text(source: str, name: str) -> None:
    assert metrics.parse(source).name == name


def test_two_metrics_of_one_name_are_named_by_their_sources() -> None:
    both = [metrics.parse(source) for source in ("a.json:/x", "b.json:/x", "b.json:/y")]
    assert [each.name for each in metrics.distinct(both)] == ["a.json:/x", "b.json:/x", "y"]
    with pytest.raises(metrics.BadMetric, match="is there twice"):
        metrics.distinct([both[0], both[0]])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "is no metric"),
        ("acc (", "is no regular expression"),
        ("a (.*) b (.*)", "has 2 groups and may match several numbers"),
    ],
)
def test_what_is_no_metric_is_refused(source: str, reason: str) -> None:
    with pytest.raises(metrics.BadMetric, match=reason):
        metrics.parse(source)


@pytest.mark.parametrize(
    ("source", "stdout", "number"),
    [
        ("acc: ([0-9.]+)", "acc: 0.5\nacc: 0.75\nend\n", 0.75),
        ("acc: ([0-9.]+)", "acc: 0.1 acc: 0.2\n", 0.2),
        ("acc: ([0-9.]+)", "the acc: 0.75.\n", 0.75),
        (r"loss=(\S+)", "loss=-1.5e-3\n", -1.5e-3),
        (r"acc: .*", "acc: 97 %\n", 97.0),
        ("x ([0-9]+)", "10%\r 20%\r x 3\n", 3.0),
    ],
)
def test_the_last_match_counts(tmp_path: Path, source: str, stdout: str, number: float) -> None:
    assert read(tmp_path, source, stdout) == metrics.Value(number)


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-inf", "Infinity"])
def test_nan_and_infinity_are_named_and_are_no_value(tmp_path: Path, word: str) -> None:
    value = read(tmp_path, r"loss (\S+)", f"loss {word}\n")
    assert value.number is None
    assert value.not_finite in ("NaN", "infinity", "-infinity")
    assert "counted and not averaged" in (value.problem or "")


@pytest.mark.parametrize(
    ("source", "stdout", "reason"),
    [
        ("acc .*", "acc 0.5 loss 0.2\n", "matches 'acc 0.5 loss 0.2', which has 2 numbers"),
        ("acc (.*)", "acc 0.5 loss 0.2\n", "matches '0.5 loss 0.2', which has 2 numbers"),
        ("acc (.*)", "acc 1,234\n", "which has 2 numbers"),
        ("acc (.*)", "acc none\n", "which has no number; put a group around the number"),
        ("acc( .*)?", "acc\n", "which has no number"),
    ],
)
def test_a_match_that_is_not_one_number_is_a_problem(
    tmp_path: Path, source: str, stdout: str, reason: str
) -> None:
    value = read(tmp_path, source, stdout)
    assert (value.number, value.not_finite) == (None, None)
    assert reason in (value.problem or "")


def test_no_match_names_the_file_and_shows_its_last_lines(tmp_path: Path) -> None:
    value = read(tmp_path, "acc: (.*)", "one\ntwo\n\nthree\nfour\n")
    assert value.problem == f"no match of 'acc: (.*)' in {tmp_path}/stdout.txt"
    assert value.tail == ("two", "three", "four")


def test_a_match_on_the_standard_error_is_pointed_at(tmp_path: Path) -> None:
    value = read(tmp_path, "acc: (.*)", "", "INFO acc: 0.5\n")
    assert "the standard error has one: print it to the standard output" in (value.problem or "")


@pytest.mark.parametrize(
    ("pointer", "number"),
    [("/a", 1.0), ("/b/1/c", 2.5), ("/d~1e", 3.0), ("/f~0g", 4.0), ("/", 5.0)],
)
def test_a_pointer_leads_into_a_json_file(tmp_path: Path, pointer: str, number: float) -> None:
    content = {"a": 1, "b": [0, {"c": 2.5}], "d/e": 3, "f~g": 4, "": 5}
    assert read(tmp_path, f"m.json:{pointer}", file=json.dumps(content)).number == number


def test_of_a_file_of_lines_the_last_line_that_has_the_pointer_counts(tmp_path: Path) -> None:
    lines = '{"acc": 0.1}\n{"acc": 0.2}\n{"time": 3}\n'
    assert read(tmp_path, "log.jsonl:/acc", file=lines).number == 0.2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"b": 1}', "has nothing at /a"),
        ("[1]", "has nothing at /a"),
        ("7", "has nothing at /a"),
        ('{"a": "0.5"}', "has a text at /a, not a number"),
        ('{"a": {"c": 1}}', "has an object at /a"),
        ('{"a": true}', "has true at /a"),
        ('{"a": null}', "has null at /a"),
        ('{"a": NaN}', "NaN, which is counted and not averaged"),
        ('{"a": 1e999}', "infinity, which is counted"),
        (f'{{"a": {"9" * 400}}}', "infinity, which is counted"),
        ('{"a": 0.5', "is not JSON"),
        ("", "is empty"),
    ],
)
def test_a_file_without_a_number_there_is_a_problem(
    tmp_path: Path, content: str, reason: str
) -> None:
    value = read(tmp_path, "m.json:/a", file=content)
    assert value.number is None
    assert reason in (value.problem or "")


def test_a_file_that_was_not_kept_is_a_problem(tmp_path: Path) -> None:
    assert "was not kept by this run" in (read(tmp_path, "m.json:/a").problem or "")


@pytest.mark.parametrize(
    ("source", "stdout", "name"),
    [
        ("acc: ([0-9.]+)", "acc: 0.5\nacc: nan\n", "NaN"),
        ("acc: ([0-9.]+)", "acc: 0.5\nacc: nan, best 0.5\nend\n", "NaN"),
        ("acc: ([0-9.]+) %", "acc: 0.5 %\nacc: -inf %\n", "-infinity"),
        (r"(?:acc|accuracy)=(\d+\.\d+)", "acc=0.5 accuracy=NaN\n", "NaN"),
        ("loss ([0-9.]+) .* end", "loss inf\n", "infinity"),
    ],
)
def test_nan_of_the_last_epoch_counts_and_no_number_before_it(
    tmp_path: Path, source: str, stdout: str, name: str
) -> None:
    value = read(tmp_path, source, stdout)
    assert (value.number, value.not_finite) == (None, name)


@pytest.mark.parametrize("stdout", ["acc: nan\nacc: 0.5\n", "acc: nan acc: 0.5\n", "nan acc: 0.5"])
def test_nan_of_an_earlier_epoch_does_not_count(tmp_path: Path, stdout: str) -> None:
    assert read(tmp_path, "acc: ([0-9.]+)", stdout) == metrics.Value(0.5)


@pytest.mark.parametrize(
    ("source", "stdout", "part", "whole"),
    [
        ("loss: ([0-9.]+)", "loss: 1.5e-05\n", "1.5", "1.5e-05"),
        (r"loss: (\d+\.\d\d)", "loss: 0.1234\n", "0.12", "0.1234"),
        ("n: ([0-9]+)", "n: 1,234,567 rows\n", "1", "1,234,567"),
        ("n: ([0-9]+)", "n: 1_234\n", "1", "1_234"),
        ("n: ([0-9]+)", "n: 0.75\n", "0", "0.75"),
        ("loss: -?([0-9.]+)", "loss: -0.5\n", "0.5", "-0.5"),
        ("loss: .*?([0-9.]+)", "loss: −0.5\n", "0.5", "−0.5"),
        (r"loss.*(\d+)$", "loss 0.75", "5", "0.75"),
    ],
)
def test_half_a_number_is_no_value(
    tmp_path: Path, source: str, stdout: str, part: str, whole: str
) -> None:
    value = read(tmp_path, source, stdout)
    assert value.number is None
    assert f"matches {part!r}, which is a part of {whole!r}; write (\\S+)" in str(value.problem)


@pytest.mark.parametrize(
    ("source", "stdout", "number"),
    [
        ("acc-([0-9.]+)", "run-acc-0.5\n", 0.5),
        ("acc ([0-9.]+)", "acc 0.5, loss 1\n", 0.5),
        ("acc ([0-9.]+)", "acc 0.5% of 3\n", 0.5),
        ("acc ([0-9.]+)", "acc 5,6\n", 5.0),
        ("took ([0-9.]+)", "took 5s\n", 5.0),
        ("of ([0-9.]+)", "12 of 5.\n", 5.0),
        ("acc=([0-9.]+)", "acc=0.5e\n", 0.5),
    ],
)
def test_what_stands_beside_a_number_is_no_part_of_it(
    tmp_path: Path, source: str, stdout: str, number: float
) -> None:
    assert read(tmp_path, source, stdout) == metrics.Value(number)


def test_a_pointer_without_its_slash_is_no_regular_expression() -> None:
    with pytest.raises(metrics.BadMetric, match=r"no slash .* give 'out/m.json:/acc'"):
        metrics.parse("out/m.json:acc")
    # What only a regular expression has is taken for one.
    assert metrics.parse("m.json: (.*)").file is None
