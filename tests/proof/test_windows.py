"""The first difference between two close looks at one step."""

from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.events import first_in_window
from seed_init.proof.trace.journal import Process

Event = dict[str, Any]

HERE = {"file": "/project/train.py", "line": 12, "function": "main"}
ELSEWHERE = {"file": "/project/train.py", "line": 20, "function": "main"}


def operator(name: str = "aten::mul", **values: Any) -> Event:
    plain = {"operands": ["11", "22"], "results": ["33"], **HERE}
    return {"event": "operator", "fine": True, "name": name, **plain, **values}


def draw(generator: str = "numpy", position: str = "aa", **values: Any) -> Event:
    named = {"generator": generator, "position": position, **HERE}
    return {"event": "draw", "fine": True, **named, **values}


def batch(number: int = 4, digest: str = "aa") -> Event:
    return {"event": "batch", "fine": True, "number": number, "digest": digest, **HERE}


def module(phase: str, digest: str, name: str = "encoder.0") -> Event:
    return {"event": "module", "fine": True, "name": name, "phase": phase, "digest": digest}


def loss(digest: int) -> Event:
    return {"event": "loss", "fine": True, "digest": digest, **HERE}


def process(*events: Event) -> Process:
    return Process({}, Path(), list(events))


def first(a: list[Event], b: list[Event]) -> Difference:
    """The difference; what is equal comes before it in both."""
    before = [operator("aten::add"), draw("torch"), module("input", "77")]
    difference = first_in_window(process(*before, *a), process(*before, *b))
    assert difference is not None
    assert difference.step is None
    return difference


def line_of(difference: Difference) -> int | None:
    return difference.source.line if difference.source is not None else None


def test_equal_looks_have_no_difference() -> None:
    events = [batch(), operator(), draw(), module("input", "1"), loss(3)]
    assert first_in_window(process(*events), process(*map(dict, events))) is None
    assert first_in_window(process(), process()) is None


def test_only_what_was_written_while_the_window_was_open_is_compared() -> None:
    def stepped(value: str) -> Event:
        return {"event": "step", "call": 0, "gradients": value}

    assert first_in_window(process(stepped("a"), draw()), process(draw(), stepped("b"))) is None


def test_the_first_event_that_differs_is_told_and_no_later_one() -> None:
    assert first([batch(digest="1"), loss(1)], [batch(digest="2"), loss(2)]).level == "batch"
    assert first([loss(1), batch(digest="1")], [loss(2), batch(digest="2")]).level == "loss"


def test_an_operator_with_equal_operands_and_unequal_results_is_the_operator() -> None:
    there = {"module": "encoder.0", "batch": 3}
    difference = first(
        [operator(results=["33"], **there)],
        [operator(results=["44"], **there)],
    )
    assert difference.level == "operator"
    assert (difference.operator, difference.module, difference.batch, line_of(difference)) == (
        "aten::mul",
        "encoder.0",
        3,
        12,
    )
    assert difference.text == "aten::mul gives unequal results for equal operands"


def test_in_a_backward_pass_the_node_that_called_the_operator_is_told() -> None:
    node = {"node": "IndexBackward0"}
    difference = first([operator(**node)], [operator(results=["44"], **node)])
    assert difference.node == "IndexBackward0"
    assert difference.text.startswith("aten::mul (called by IndexBackward0) gives unequal results")


def test_a_number_of_pythons_that_differs_is_told_with_both_values() -> None:
    difference = first(
        [operator(operands=["11", "0.5"])], [operator(operands=["11", "0.25"], results=["9"])]
    )
    assert (difference.level, difference.values) == ("line", ["0.5", "0.25"])
    assert difference.text == "operand 1 of aten::mul is 0.5 and 0.25"
    assert (difference.operator, line_of(difference)) == ("aten::mul", 12)


def test_a_tensor_that_no_operator_made_unlike_comes_from_outside() -> None:
    difference = first(
        [operator(operands=["float32 [2] 0a", "1"])], [operator(operands=["float32 [2] 0b", "1"])]
    )
    assert (difference.level, difference.values) == ("line", None)
    assert difference.text.startswith("operand 0 of aten::mul differs, and no operator made it so")
    assert "outside PyTorch" in difference.text


def test_an_operand_that_only_one_run_gives_is_told() -> None:
    difference = first([operator(operands=["11"])], [operator(operands=["11", "22"])])
    assert (difference.level, difference.values) == ("line", ["None", "22"])


def test_an_operator_that_draws_from_a_generator_that_stands_elsewhere_is_a_draw() -> None:
    difference = first(
        [operator("aten::bernoulli_", operands=["11", "generator=5:0"])],
        [operator("aten::bernoulli_", operands=["11", "generator=5:4"])],
    )
    assert (difference.level, difference.generator) == ("draw", "torch")
    assert (difference.operator, line_of(difference)) == ("aten::bernoulli_", 12)


def test_a_draw_that_leaves_the_generator_elsewhere_is_a_draw_at_its_line() -> None:
    difference = first([draw(position="aa")], [draw(position="bb")])
    assert (difference.level, difference.generator, line_of(difference)) == ("draw", "numpy", 12)


@pytest.mark.parametrize(
    ("extra", "generator"),
    [
        (draw("random", **ELSEWHERE), "random"),
        (operator("aten::rand", operands=["generator=1:0"], **ELSEWHERE), "torch"),
    ],
    ids=["a draw of Python's", "an operator of torch's"],
)
@pytest.mark.parametrize("rest", [[loss(1)], []], ids=["before another event", "as the last"])
def test_a_draw_in_one_run_only_is_told_with_its_line_whichever_run_it_is(
    extra: Event, generator: str, rest: list[Event]
) -> None:
    for difference in (first([extra, *rest], rest), first(rest, [extra, *rest])):
        assert (difference.level, difference.generator) == ("draw", generator)
        assert difference.text == f"a draw from {generator} in one run only"
        assert line_of(difference) == 20


def test_runs_that_do_unlike_things_take_different_paths() -> None:
    difference = first([operator("aten::mul")], [operator("aten::add", **ELSEWHERE)])
    assert difference.level == "line"
    assert difference.text == (
        "the runs take different paths: aten::mul at train.py:12 and aten::add at train.py:20"
    )
    assert line_of(difference) == 12


def test_a_run_that_goes_on_where_the_other_ended_takes_another_path() -> None:
    for difference in (first([operator()], []), first([], [operator()])):
        assert difference.level == "line"
        assert "nothing more" in difference.text
        assert (difference.operator, line_of(difference)) == ("aten::mul", 12)


def test_one_operator_called_from_two_lines_is_another_path() -> None:
    difference = first([operator()], [operator(**ELSEWHERE)])
    assert difference.text.startswith("the runs take different paths")


def test_a_batch_is_told_by_its_number_and_line() -> None:
    difference = first([batch(4, "1")], [batch(4, "2")])
    assert (difference.level, difference.batch, line_of(difference)) == ("batch", 4, 12)


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        ("input", "the module encoder.0 gets another input"),
        ("output", "the module encoder.0 gives another output for an equal input"),
    ],
)
def test_a_module_is_told_by_its_name_and_whether_its_input_differed(phase: str, text: str) -> None:
    difference = first([module(phase, "1")], [module(phase, "2")])
    assert (difference.level, difference.module, difference.text) == ("module", "encoder.0", text)


def test_a_loss_is_told_with_its_line() -> None:
    difference = first([loss(1)], [loss(2)])
    assert (difference.level, line_of(difference)) == ("loss", 12)


def test_a_notebooks_cells_are_the_same_though_their_directories_are_named_otherwise() -> None:
    def cell(process: int) -> Event:
        return operator(file=f"/tmp/ipykernel_{process}/123.py")

    assert first_in_window(process(cell(1)), process(cell(2))) is None


def test_the_line_is_shown_with_its_text(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("one\n    two = 2  \n")
    there = {"file": str(program), "line": 2}
    difference = first([operator(**there)], [operator(results=["0"], **there)])
    assert str(difference.source) == f"{program}:2: two = 2"
