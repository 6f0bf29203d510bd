"""Units of work of engines in a trace: two runs are compared unit by unit, in whatever worker."""

import copy
import json
from pathlib import Path
from typing import Any

from harness.processes import run
from seed_init.proof.comparing.align import in_common, in_rows, moved, paired
from seed_init.proof.comparing.steps import first_difference, moved_workers
from seed_init.proof.trace import units
from seed_init.proof.trace.journal import Process

Event = dict[str, Any]

STEP: Event = {"event": "step", "call": 0, "rng": {"torch": "a"}, "loss": []}


def begin(unit: int, name: str, alone: bool = True) -> Event:
    path = ["dask", name]
    return {"event": "unit", "unit": unit, "engine": "Dask", "path": path, "alone": alone}


def end(unit: int, position: str) -> Event:
    made: Event = {"event": "unit_end", "unit": unit, "rank": None, "final": []}
    return {**made, "generators": {"random": position}}


def worker(number: int, *tasks: tuple[str, str], last: str | None = None) -> Process:
    """A worker that has run tasks, each with its name and where it leaves `random`."""
    events = [
        event
        for unit, (name, position) in enumerate(tasks, 1)
        for event in (begin(unit, name), end(unit, position))
    ]
    final = {"optimizer": 9, "digests": ["w"]}
    generators = {} if last is None else {"random": last}
    events.append({"event": "end", "generators": generators, "final": [final]})
    return process(number, *events)


def process(number: int, *events: Event) -> Process:
    header: dict[str, Any] = {"pid": number, "parent": 0, "path": ["process", number]}
    header |= {"rank": None, "argv": ["python", "worker.py"]}
    return Process(header, Path(), list(events))


A, B, C = ("a", "1"), ("b", "2"), ("c", "3")


def test_which_worker_takes_a_task_is_no_difference() -> None:
    first, second = [worker(1, A, B), worker(2, C)], [worker(1, C), worker(2, B, A)]
    assert first_difference(first, second) is None
    assert moved(first, second) == 3
    assert moved(first, copy.deepcopy(first)) == 0
    assert in_common(first, second).generators == ("random",)


def test_a_task_that_draws_otherwise_is_a_difference_and_is_named() -> None:
    first, second = [worker(1, A, B), worker(2, C)], [worker(1, ("c", "4")), worker(2, A, B)]
    difference = first_difference(first, second)
    assert difference is not None
    assert (difference.level, difference.generator) == ("generator", "random")
    assert difference.who == "Dask's unit dask c" and difference.is_in_a_unit


def test_what_a_worker_does_by_itself_is_compared_as_ever() -> None:
    first, second = [worker(1, A, last="x"), worker(2)], [worker(1, last="y"), worker(2, A)]
    difference = first_difference(first, second)
    assert difference is not None and difference.who == "process 1 (python worker.py)"


def test_a_task_that_only_one_run_has_seen_is_alone() -> None:
    pairs, alone = paired([worker(1, A, B)], [worker(1, A)])
    assert [units.engine_of(one) for one, _ in pairs] == [None, "Dask"]
    assert [one.header["path"] for one in alone] == [["dask", "b"]]


def test_a_task_whose_worker_was_killed_is_as_good_as_its_next_attempt() -> None:
    killed = process(1, begin(1, "a"))
    first, second = [killed, worker(2, A)], [worker(1, A), worker(2)]
    assert len(units.placed(first)) == 1
    assert first_difference(first, second) is None
    assert len(units.placed([killed])) == 1


def test_the_optimizers_of_a_task_are_numbered_by_the_task() -> None:
    """In one run the task is the first of its worker, in the other one the second."""

    def steps(unit: int, optimizer: int, position: str) -> list[Event]:
        step = {**STEP, "unit": unit, "optimizer": optimizer, "rng": {"torch": position}}
        return [begin(unit, f"t{position}"), step, end(unit, position)]

    def ending(*optimizers: int) -> Event:
        finals = [{"optimizer": number, "digests": ["w"]} for number in optimizers]
        return {"event": "end", "generators": {}, "final": finals}

    first = [process(1, *steps(1, 0, "a"), *steps(2, 1, "b"), ending(0, 1)), process(2, ending())]
    second = [process(1, *steps(1, 0, "b"), ending(0)), process(2, *steps(1, 0, "a"), ending(0))]
    assert first_difference(first, second) is None
    assert in_common(first, second).final_weights == 2
    second[1].events[1] = {**second[1].events[1], "loss": [[1.0, "3ff0000000000000"]]}
    difference = first_difference(first, second)
    assert difference is not None and (difference.step, difference.who) == (
        0,
        "Dask's unit dask ta",
    )


def test_the_final_weights_of_a_task_are_its_own_where_no_step_was_observed() -> None:
    """As in the run without training hooks; one worker tells them at the end of the task."""
    mine = {"optimizer": 3, "digests": ["v"], "unit": 1}
    told = process(1, begin(1, "a"), {**end(1, "1"), "final": [mine]})
    late = process(1, begin(1, "a"), end(1, "1"), {**worker(1).events[-1], "final": [mine]})
    assert in_common([told], [late]).final_weights == 1
    assert first_difference([told], [late]) is None
    other = {**mine, "digests": ["x"]}
    late.events[-1] = {**late.events[-1], "final": [other]}
    difference = first_difference([told], [late])
    assert difference is not None and difference.level == "parameter"
    late.events.pop()  # killed before it could tell them
    assert first_difference([told], [late]) is None


def test_the_rows_of_a_report_have_units_side_by_side() -> None:
    rows = in_rows([[worker(1, A, B), worker(2)], [worker(1, B), worker(2, A)]])
    paths = [[one and one.header["path"] for one in row] for row in rows]
    assert len(paths) == 4 and all(one == other for one, other in paths)


def test_a_worker_that_nobody_has_named_is_known_without_its_random_number() -> None:
    first, second = process(1), process(2)
    first.header["path"] = ["dask", "worker", 2**40]
    second.header["path"] = ["dask", "worker", 2**50]
    assert paired([first], [second]) == ([(first, second)], [])


def test_what_was_not_seen_of_units_is_told() -> None:
    def sent(engine: str, number: int) -> Event:
        return {"event": "units", "sent": {engine: number}}

    assert units.unseen([worker(1, A, B), process(2, sent("Dask", 2))]) == []
    [line] = units.unseen([worker(1, A), process(2, sent("Dask", 2))])
    assert "of 2 that the program submitted, 1 ran" in line
    [line] = units.unseen([process(2, sent("Dask", 0))])
    assert "of those that the program submitted, none ran" in line
    shared = process(1, begin(1, "a", alone=False), {**end(1, ""), "generators": {}})
    assert "other threads" in units.unseen([shared])[0]
    assert "the end was not seen" in units.unseen([process(1, begin(1, "a"))])[0]


def pool(*ends: str, last: str = "m", steps: int = 0) -> list[Process]:
    """A program and the workers of its pool, and where each of them leaves `random`."""
    workers = [worker(number, last=position) for number, position in enumerate(ends, 1)]
    main = worker(9, last=last)
    main.header["path"] = []
    main.events[:0] = [{**STEP, "optimizer": 0, "call": call} for call in range(steps)]
    return [main, *workers]


def test_where_only_workers_of_a_pool_drew_otherwise_a_task_went_to_another_one() -> None:
    assert len(moved_workers(pool("a", "b"), pool("c", "d"))) == 2
    assert moved_workers(pool("a", "b"), pool("a", "d")) == []  # who has drawn the rest?
    assert moved_workers(pool("a", "b"), pool("c", "d", last="n")) == []
    assert moved_workers(pool("a", "b", steps=2), pool("c", "d", steps=1)) == []
    assert moved_workers([worker(1, A), worker(2)], [worker(1), worker(2, A)]) == []


POOL = """
import concurrent.futures, multiprocessing, random, time

def draw(number):
    time.sleep(0.02 * random.random())
    return random.random()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        print(list(executor.map(draw, range(6))))
"""


def test_the_items_of_a_pool_are_compared_item_by_item(python: Path, tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    words = "-m", "seed_init", "verify", "--json", "--no-perturb", "--", python, "pool.py"
    done = run(python, *words, env={"SEED": "7", "SEED_INIT_POOLS": "item"}, cwd=tmp_path)
    result = json.loads(done.stdout)
    assert (result["verdict"], result["difference"]) == ("identical", None)
    assert result["compared"]["units"] == {"concurrent.futures": 6}
    assert result["compared"]["generators"] == ["random"]
