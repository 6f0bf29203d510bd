"""The first difference between two traces: which step, which process, and what of it."""

import base64
import copy
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.comparing.align import paired
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.steps import first_difference
from seed_init.proof.trace import packing
from seed_init.proof.trace.journal import Process

from .recorded import shortened

NAMES = ["first.weight", "first.bias", "second.weight", "second.bias"]

Event = dict[str, Any]
Change = Callable[[Event], None]


def vector(*numbers: int) -> str:
    """Fingerprints as a trace has them."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}q", *numbers)).decode()


def tables(optimizer: int = 0, names: list[str] = NAMES) -> list[Event]:
    count = len(names)
    return [
        {
            "event": "tensors",
            "optimizer": optimizer,
            "kind": kind,
            "names": names,
            "shapes": [[2]] * count,
            "dtypes": ["float32"] * count,
        }
        for kind in ("gradients", "parameters")
    ]


def step(call: int, optimizer: int = 0) -> Event:
    return {
        "event": "step",
        "optimizer": optimizer,
        "call": call,
        "gradients": vector(*(100 * call + number for number in range(4))),
        "parameters": vector(*(1000 * call + number for number in range(4))),
        "rng": {"random": "aa", "torch": f"{call:02x}"},
        "loss": [[0.5, "3fe0000000000000"]],
    }


def trained(steps: int = 4, rank: int | None = None, path: tuple[int, ...] = ()) -> Process:
    """A process that trained, as `journal.read` gives it."""
    start = {"event": "start", "optimizer": 0, "parameters": vector(1, 2, 3, 4)}
    end = {
        "event": "end",
        "generators": {"random": "aa", "torch": "ff"},
        "final": [{"optimizer": 0, "digests": ["a", "b", "c", "d"]}],
    }
    events = [*tables(), start, *(step(call) for call in range(steps)), end]
    header = {"rank": rank, "path": list(path), "argv": ["python", "train.py"]}
    return Process(header, Path(), events)


def but(process: Process, call: int, **values: Any) -> Process:
    """A copy in which one step has other values."""
    other = copy.deepcopy(process)
    [event] = [each for each in other.of("step") if each["call"] == call]
    event.update(values)
    return other


def recorded(process: Process, group: int = 1) -> Process:
    """The same process as a record has it.

    Args:
        process: of a trace.
        group: tensors a column; records of long runs have more than 1.
    """
    steps = [shortened(each, group) for each in process.of("step")]
    [events] = packing.unpack(packing.pack([process]))
    rest = iter(steps)
    events = [next(rest) if each["event"] == "step" else each for each in events]
    return Process(process.header, process.file, events)


def found(a: Process | list[Process], b: Process | list[Process]) -> Difference:
    """Their first difference, which has to be the same from the other side."""
    one, other = (each if isinstance(each, list) else [each] for each in (a, b))
    difference, back = first_difference(one, other), first_difference(other, one)
    assert difference is not None and back is not None
    assert (difference.level, difference.step, difference.tensor, difference.rank) == (
        back.level,
        back.step,
        back.tensor,
        back.rank,
    )
    return difference


OTHER_STEP: dict[str, Any] = {
    "rng": {"random": "aa", "torch": "ee"},
    "loss": [[0.75, "3fe8000000000000"]],
    "gradients": vector(200, 9, 9, 203),
    "parameters": vector(2000, 9, 9, 2003),
}
"""What step 2 has instead, in the order in which it is told."""


def test_equal_traces_have_no_difference() -> None:
    assert first_difference([trained()], [copy.deepcopy(trained())]) is None
    assert first_difference([], []) is None


@pytest.mark.parametrize(
    ("parts", "level"),
    [
        (("rng", "loss", "gradients", "parameters"), "draw"),
        (("loss", "gradients", "parameters"), "loss"),
        (("gradients", "parameters"), "gradient"),
        (("parameters",), "parameter"),
    ],
)
def test_at_one_step_what_others_follow_from_is_told_first(
    parts: tuple[str, ...], level: str
) -> None:
    other = but(trained(), 2, **{name: OTHER_STEP[name] for name in parts})
    difference = found(trained(), other)
    assert (difference.level, difference.step, difference.optimizer) == (level, 2, 0)


def test_an_earlier_step_is_told_before_a_likelier_level() -> None:
    other = but(but(trained(), 2, rng=OTHER_STEP["rng"]), 1, parameters=vector(0, 0, 0, 0))
    assert found(trained(), other).first_observed.startswith("first observed at step 1: ")
    assert found(trained(), other).level == "parameter"


def test_of_several_tensors_the_first_in_order_of_parameters_is_named() -> None:
    gradient = found(trained(), but(trained(), 2, gradients=OTHER_STEP["gradients"]))
    assert gradient.tensor == "first.bias"
    assert gradient.text == "the gradient first.bias and 1 of 3 others differ"
    parameter = found(trained(), but(trained(), 2, parameters=OTHER_STEP["parameters"]))
    assert parameter.tensor == "first.bias"
    assert parameter.text == "the parameter first.bias and 1 of 3 others differ"


def test_a_single_tensor_is_named_alone() -> None:
    other = but(trained(), 3, parameters=vector(3000, 3001, 3002, -1))
    difference = found(trained(), other)
    assert difference.text == "the parameter second.bias differs"


def test_the_generator_and_both_losses_are_told() -> None:
    assert found(trained(), but(trained(), 2, rng=OTHER_STEP["rng"])).generator == "torch"
    loss = found(trained(), but(trained(), 2, loss=OTHER_STEP["loss"]))
    assert sorted(loss.values or []) == [0.5, 0.75]
    assert loss.text == "the loss is 0.5 and 0.75"


def test_losses_of_equal_value_and_other_bits_differ() -> None:
    # -0.0 is shown as it is; two NaNs may have other bits.
    assert found(trained(), but(trained(), 0, loss=[[0.5, "3fe1"]])).level == "loss"


def test_another_number_of_backward_passes_or_of_tensors_is_a_difference() -> None:
    twice = but(trained(), 1, loss=[[0.5, "3fe0000000000000"], [0.5, "3fe0000000000000"]])
    assert found(trained(), twice).level == "loss"
    fewer = but(trained(), 1, gradients=vector(100, 101))
    difference = found(trained(), fewer)
    assert (difference.level, difference.step, difference.tensor) == ("gradient", 1, None)


def test_a_generator_that_only_one_run_has_by_now_is_none() -> None:
    other = but(trained(), 1, rng={"random": "aa", "torch": "01", "numpy": "cc"})
    for one, two in _both_ways([trained()], [other]):
        assert first_difference(one, two) is None


def test_parameters_that_begin_unlike_are_told_to_be_so_before_the_first_step() -> None:
    other = copy.deepcopy(trained())
    other.of("start")[0]["parameters"] = vector(1, 2, 3, 5)
    difference = found(trained(), other)
    assert difference.text == "the parameter second.bias differs before the first step"
    assert (difference.level, difference.step) == ("parameter", 0)


def test_names_are_those_of_the_table_that_was_written_last() -> None:
    def thawed() -> Process:
        process = trained()
        at = process.events.index(process.of("step")[2])
        process.events[at:at] = tables(names=["new.a", "new.b", "new.c", "new.d"])
        return process

    for call, name in ((1, "first.weight"), (2, "new.a")):
        differing = but(
            thawed(), call, parameters=vector(-1, *(call * 1000 + n for n in (1, 2, 3)))
        )
        assert found(thawed(), differing).tensor == name


def test_of_two_optimizers_the_one_is_named() -> None:
    def both() -> Process:
        process = trained(2)
        process.events[2:2] = tables(1, ["other"] * 4)
        process.events.insert(-1, step(0, optimizer=1))
        return process

    differing = both()
    differing.of("step")[-1]["gradients"] = vector(0, 1, 2, -3)
    difference = found(both(), differing)
    assert difference.first_observed.startswith("first observed at step 0 of optimizer 1: ")
    assert (difference.optimizer, difference.tensor) == (1, "other")


def test_optimizers_that_step_in_another_order_are_told_so() -> None:
    def one_after(*optimizers: int) -> Process:
        process = trained(0)
        process.events[-1:-1] = [step(0, number) for number in optimizers]
        return process

    difference = found(one_after(0, 1), one_after(1, 0))
    assert (difference.level, difference.step) == ("trace", 0)
    assert "step 0 of optimizer 0" in difference.text
    assert "step 0 of optimizer 1" in difference.text


def test_a_step_that_one_run_has_not_is_a_difference_at_that_step() -> None:
    difference = found(trained(4), trained(3))
    assert (difference.level, difference.step, difference.optimizer) == ("trace", 3, 0)
    first, second = (first_difference(*each) for each in _both_ways([trained(4)], [trained(3)]))
    assert first is not None and "(the first)" in first.text
    assert second is not None and "(the second)" in second.text


def _both_ways(a: Any, b: Any) -> tuple[Any, Any]:
    return (a, b), (b, a)


def test_of_several_ranks_the_one_with_the_earliest_step_is_named() -> None:
    ranks = [trained(rank=0), trained(rank=1), trained(rank=2)]
    others = [
        but(ranks[0], 3, rng=OTHER_STEP["rng"]),
        but(ranks[1], 1, parameters=vector(0, 0, 0, 0)),
        but(ranks[2], 2, rng=OTHER_STEP["rng"]),
    ]
    difference = found(ranks, others)
    assert (difference.rank, difference.step, difference.process) == (1, 1, 1)
    assert difference.first_observed.startswith("first observed at step 1, rank 1: ")


def test_of_ranks_that_part_at_one_step_the_likelier_level_is_named() -> None:
    ranks = [trained(rank=0), trained(rank=1)]
    others = [
        but(ranks[0], 2, gradients=OTHER_STEP["gradients"]),
        but(ranks[1], 2, rng=OTHER_STEP["rng"]),
    ]
    assert (found(ranks, others).rank, found(ranks, others).level) == (1, "draw")
    same = [but(each, 2, loss=OTHER_STEP["loss"]) for each in ranks]
    assert found(ranks, same).rank == 0


def test_a_step_of_any_rank_is_told_before_what_is_in_no_step() -> None:
    ranks = [trained(rank=0), trained(rank=1)]
    others = copy.deepcopy(ranks)
    others[0].of("end")[0]["final"][0]["digests"][0] = "x"
    others[1] = but(others[1], 3, loss=OTHER_STEP["loss"])
    assert (found(ranks, others).rank, found(ranks, others).step) == (1, 3)


def test_processes_are_paired_by_rank_and_place_whatever_began_first() -> None:
    ranks = [trained(rank=0), trained(3, rank=1), trained(1, rank=1, path=(0,))]
    assert first_difference(ranks, list(reversed(copy.deepcopy(ranks)))) is None
    pairs, alone = paired(ranks, list(reversed(ranks)))
    assert [one is other for one, other in pairs] == [True, True, True]
    assert alone == []


def test_processes_of_one_place_are_paired_by_their_command_lines() -> None:
    def running(program: str, steps: int) -> Process:
        process = trained(steps)
        process.header["argv"] = ["/usr/bin/python", program]
        return process

    a = [running("a.py", 1), running("b.py", 2)]
    b = [running("b.py", 2), running("a.py", 1)]
    assert first_difference(a, b) is None
    # The interpreter's own path is no part of it.
    b[0].header["argv"][0] = "/other/python"
    assert first_difference(a, b) is None


def test_what_is_left_is_paired_though_temporary_names_are_in_its_command_line() -> None:
    a, b = trained(), trained()
    a.header["argv"] = ["python", "/tmp/kernel-1.json"]
    b.header["argv"] = ["python", "/tmp/kernel-2.json"]
    assert paired([a], [b]) == ([(a, b)], [])


def test_a_kernel_that_one_run_has_killed_is_not_taken_for_the_process_that_started_it() -> None:
    def running(*words: str, at: str) -> Process:
        process = trained(0)
        process.header["argv"] = ["python", *words]
        process.of("end")[0]["generators"]["random"] = at
        return process

    def notebook(run: int) -> list[Process]:
        kernel = running("-m", "ipykernel_launcher", "-f", f"/tmp/{run}.json", at="aa")
        client = running("/bin/jupyter-execute", "a.ipynb", f"--output=/tmp/{run}", at="bb")
        return [kernel, client]

    assert first_difference(notebook(1), notebook(2)) is None
    assert first_difference(notebook(1), notebook(2)[1:]) is None
    assert first_difference(notebook(1)[1:], notebook(2)) is None


def test_a_process_that_trained_in_one_run_only_is_a_difference() -> None:
    difference = found([trained()], [trained(), trained(rank=1)])
    assert (difference.level, difference.step) == ("trace", None)
    assert "1 process trained in one run" in difference.text


def test_a_process_without_steps_may_be_in_one_run_only() -> None:
    assert first_difference([trained()], [trained(), trained(0, path=(3,))]) is None


def test_final_weights_are_told_by_name_and_before_the_generators() -> None:
    other = copy.deepcopy(trained())
    other.of("end")[0]["final"][0]["digests"][2] = "x"
    other.of("end")[0]["generators"]["torch"] = "x"
    difference = found(trained(), other)
    assert difference.first_observed == (
        "first observed: the final parameter second.weight differs"
    )
    assert (difference.level, difference.tensor) == ("parameter", "second.weight")


def test_final_weights_of_traces_without_names_are_told_by_number() -> None:
    # Of runs without training hooks.
    bare = Process(trained().header, Path(), trained().of("end"))
    other = copy.deepcopy(bare)
    other.events[0]["final"][0]["digests"][2] = "x"
    assert found(bare, other).tensor == "number 2"


def test_a_generator_that_stands_elsewhere_at_the_end_is_named() -> None:
    other = copy.deepcopy(trained())
    other.of("end")[0]["generators"] |= {"torch": "x", "numpy": "only here"}
    difference = found(trained(), other)
    assert (difference.level, difference.generator, difference.step) == ("generator", "torch", None)


def test_steps_that_a_killed_process_may_have_lost_are_said_to_be() -> None:
    killed = copy.deepcopy(trained())
    del killed.events[-2:]
    assert "steps that were on a device then are lost" in found(trained(), killed).text
    assert "lost" not in found(trained(steps=3), trained(steps=2)).text


def test_the_end_of_a_killed_process_is_not_compared() -> None:
    killed = copy.deepcopy(trained())
    killed.events.pop()
    assert first_difference([trained()], [killed]) is None


@pytest.mark.parametrize("group", [1, 2, 4])
def test_records_are_equal_where_traces_are_and_find_the_same_step(group: int) -> None:
    one, other = recorded(trained(), group), recorded(copy.deepcopy(trained()), group)
    assert first_difference([one], [other]) is None
    for name, level in (("gradients", "gradient"), ("parameters", "parameter")):
        differing = recorded(but(trained(), 2, **{name: OTHER_STEP[name]}), group)
        assert (found(one, differing).level, found(one, differing).step) == (level, 2)


def test_a_record_and_a_trace_compare() -> None:
    assert first_difference([recorded(trained())], [trained()]) is None
    differing = but(trained(), 2, gradients=vector(200, 201, -1, 203))
    difference = found(recorded(trained()), differing)
    assert (difference.level, difference.step, difference.tensor) == (
        "gradient",
        2,
        "second.weight",
    )


def test_records_with_wider_columns_name_the_range_of_tensors() -> None:
    differing = but(trained(), 2, parameters=vector(2000, 2001, 2002, -1))
    fine, coarse = recorded(trained(), 1), recorded(differing, 2)
    difference = found(fine, coarse)
    assert difference.text == "the parameter one of second.weight to second.bias differs"
    assert difference.tensor is None


def test_tensors_whose_columns_cancel_are_still_found_by_the_sums() -> None:
    # Each of the two changes by the same bits, so that their common column does not.
    swapped = but(trained(), 2, parameters=vector(2001, 2000, 2002, 2003))
    difference = found(recorded(trained(), 2), recorded(swapped, 2))
    assert difference.text == "the parameters differ"
    assert (difference.level, difference.step) == ("parameter", 2)


def test_parameters_that_begin_unlike_are_found_in_records() -> None:
    other = copy.deepcopy(trained())
    other.of("start")[0]["parameters"] = vector(1, 2, 3, 5)
    difference = found(recorded(trained()), recorded(other))
    assert difference.text == "the parameter second.bias differs before the first step"
