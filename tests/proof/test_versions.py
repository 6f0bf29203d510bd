"""Two versions of a program: what both have is compared, lined up by where it comes from."""

import struct
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.comparing import versions
from seed_init.proof.comparing.versions import Look
from seed_init.proof.trace.journal import Process

Event = dict[str, Any]


# Within a step


def look(root: Path, code: str, *events: Event) -> Look:
    """A look at a version whose model.py is given; events name their lines by a text in them."""
    root.mkdir(exist_ok=True)
    file = root / "model.py"
    file.write_text(code)
    lines = code.splitlines()
    placed = []
    for event in events:
        at = event.pop("at")
        number = next(number for number, line in enumerate(lines, 1) if at in line)
        placed.append({**event, "file": str(file), "line": number, "function": "forward"})
    return Look(Process({}, Path(), placed), root)


def operator(name: str, at: str, operands: list[str], results: str, **more: Any) -> Event:
    plain = {"name": f"aten::{name}", "operands": operands, "results": results, "module": "net"}
    return {"event": "operator", "fine": True, "at": at, **plain, **more}


CODE = "x = first(x)\nx = x.relu()\ny = second(x)\n"


def base(root: Path, **relu: Any) -> Look:
    return look(
        root,
        CODE,
        operator("mm", "first", ["t a"], "b"),
        operator("relu", ".relu", ["t b"], "c", **relu),
        operator("mm", "second", ["t c"], "d"),
    )


def test_lines_that_have_moved_are_the_same_place(tmp_path: Path) -> None:
    moved = look(
        tmp_path / "b",
        "# a comment\n\n" + CODE,
        operator("mm", "first", ["t a"], "b"),
        operator("relu", ".relu", ["t b"], "c"),
        operator("mm", "second", ["t c"], "d"),
    )
    difference, alone = versions.first_in_step(base(tmp_path / "a"), moved)
    assert difference is None
    assert not alone


def test_an_operator_that_was_added_and_changes_nothing_does_not_end_the_comparison(
    tmp_path: Path,
) -> None:
    added = look(
        tmp_path / "b",
        CODE.replace("x = x.relu()", "x = x * 1.0\nx = x.relu()"),
        operator("mm", "first", ["t a"], "b"),
        operator("mul", "* 1.0", ["t b", "1.0"], "b"),
        operator("relu", ".relu", ["t b"], "c"),
        operator("mm", "second", ["t c"], "other"),
    )
    difference, alone = versions.first_in_step(base(tmp_path / "a"), added)
    assert difference is not None
    # The last one, and not the place at which the sequences part.
    assert (difference.operator, difference.level) == ("aten::mm", "operator")
    assert difference.source is not None
    assert difference.source.line == 3
    assert (alone.first, alone.second) == ([], ["aten::mul at model.py:2 in module net"])
    back, alone = versions.first_in_step(added, base(tmp_path / "a"))
    assert back is not None
    assert alone.first == ["aten::mul at model.py:2 in module net"]


def test_what_only_one_version_does_before_the_difference_is_named_the_last_first(
    tmp_path: Path,
) -> None:
    other = look(
        tmp_path / "b",
        CODE.replace("x.relu()", "x.exp().tanh()"),
        operator("mm", "first", ["t a"], "b"),
        operator("exp", ".exp", ["t b"], "e"),
        operator("tanh", ".exp", ["t e"], "f"),
        operator("mm", "second", ["t f"], "g"),
    )
    difference, alone = versions.first_in_step(base(tmp_path / "a"), other)
    assert difference is not None
    # Nobody says that it came from outside PyTorch.
    assert difference.text == "operand 0 of aten::mm differs"
    assert alone.first == ["aten::relu at model.py:2 in module net"]
    assert alone.second == [
        "aten::tanh at model.py:2 in module net",
        "aten::exp at model.py:2 in module net",
    ]


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (("x = first(x)", "hidden = first(x)"), {}),  # another text of the line
        (("", ""), {"module": "renamed"}),
    ],
)
def test_code_that_was_rewritten_is_lined_up_by_what_it_does(
    tmp_path: Path, change: tuple[str, str], more: dict[str, str]
) -> None:
    rewritten = look(
        tmp_path / "b",
        CODE.replace(*change),
        operator("mm", "first", ["t a"], "b", **more),
        operator("relu", ".relu", ["t b"], "c", **more),
        operator("mm", "second", ["t c"], "d", **more),
    )
    difference, alone = versions.first_in_step(base(tmp_path / "a"), rewritten)
    assert difference is None
    assert not alone


def test_a_constant_that_was_changed_is_the_difference(tmp_path: Path) -> None:
    def scaled(root: Path, factor: str) -> Look:
        code = f"y = x * {factor}\n"
        return look(root, code, operator("mul", "x *", ["t a", factor], f"by {factor}"))

    sides = scaled(tmp_path / "a", "2.0"), scaled(tmp_path / "b", "3.0")
    difference, alone = versions.first_in_step(*sides)
    assert difference is not None
    assert difference.text == "operand 1 of aten::mul is 2.0 and 3.0"
    assert not alone


def test_thousands_of_equal_operators_are_lined_up_in_no_time(tmp_path: Path) -> None:
    many = [operator("add", "first", [f"t {n}"], f"{n + 1}") for n in range(6000)]
    other = [dict(each) for each in many]
    other.insert(3000, operator("neg", "first", ["t 3000"], "3000"))
    other[-1] = {**other[-1], "results": "another"}
    sides = look(tmp_path / "a", CODE, *many), look(tmp_path / "b", CODE, *other)
    difference, alone = versions.first_in_step(*sides)
    assert difference is not None
    assert difference.level == "operator"
    assert alone.second == ["aten::neg at model.py:1 in module net"]


# Steps


def vector(*numbers: int) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}q", *numbers)).decode()


def training(
    names: list[str], *steps: dict[str, int], end: dict[str, str] | None = None
) -> Process:
    """A process that trains parameters; each step gives the number of each of them."""
    header = {"event": "process", "pid": 1, "parent": 0, "path": [], "rank": None, "argv": ["p"]}
    events: list[Event] = [
        {"event": "tensors", "optimizer": 0, "kind": kind, "names": names}
        for kind in ("gradients", "parameters")
    ]
    for call, numbers in enumerate(steps):
        content = vector(*(numbers[name] for name in names))
        step = {"event": "step", "optimizer": 0, "call": call, "rng": {}, "loss": []}
        events.append({**step, "gradients": content, "parameters": content})
    if end is not None:
        digests = [end[name] for name in names]
        final = [{"optimizer": 0, "digests": digests}]
        events.append({"event": "end", "generators": {}, "final": final})
    return Process(header, Path(), events)


def test_a_parameter_that_was_added_is_named_and_the_others_are_compared_by_name() -> None:
    first = training(["a", "b"], {"a": 1, "b": 12}, {"a": 3, "b": 4}, end={"a": "x", "b": "y"})
    more = [{"a": 1, "gain": 9, "b": 12}, {"a": 3, "gain": 9, "b": 4}]
    second = training(["a", "gain", "b"], *more, end={"a": "x", "gain": "z", "b": "y"})
    difference, alone = versions.first_difference([first], [second])
    assert difference is None
    assert (alone.first, alone.second) == ([], ["parameter gain"])
    more[1]["b"] = 5
    second = training(["a", "gain", "b"], *more)
    difference, _ = versions.first_difference([first], [second])
    assert difference is not None
    assert (difference.step, difference.tensor, difference.level) == (1, "b", "gradient")


def test_the_end_is_compared_by_name_as_well() -> None:
    first = training(["a", "b"], end={"a": "x", "b": "y"})
    second = training(["b", "a"], end={"a": "x", "b": "other"})
    difference, alone = versions.first_difference([first], [second])
    assert difference is not None
    assert (difference.tensor, bool(alone)) == ("b", False)


def test_parameters_in_another_order_are_the_same() -> None:
    first = training(["a", "b"], {"a": 1, "b": 12})
    second = training(["b", "a"], {"a": 1, "b": 12})
    assert versions.first_difference([first], [second])[0] is None
    second = training(["b", "a"], {"a": 1, "b": 3})
    difference, _ = versions.first_difference([first], [second])
    assert difference is not None
    assert difference.tensor == "b"


def test_parameters_under_other_names_are_compared_in_order() -> None:
    first = training(["net.a", "net.b"], {"net.a": 1, "net.b": 12})
    same = training(["model.a", "model.b"], {"model.a": 1, "model.b": 12})
    assert versions.first_difference([first], [same])[0] is None
    other = training(["model.a", "model.b"], {"model.a": 1, "model.b": 3})
    difference, alone = versions.first_difference([first], [other])
    assert difference is not None
    assert (difference.tensor, bool(alone)) == ("net.b", False)


def test_a_difference_in_the_loss_names_the_first_tensor_of_that_step() -> None:
    sides = []
    for loss, number in ((1.0, 12), (2.0, 13)):
        process = training(["a", "b"], {"a": 1, "b": number})
        process.of("step")[0]["loss"] = [[loss, f"{int(loss):016x}"]]
        sides.append([process])
    difference, _ = versions.first_difference(*sides)
    assert difference is not None
    assert (difference.level, difference.step, difference.tensor) == ("loss", 0, "b")
