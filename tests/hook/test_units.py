"""Named streams, and units of work: each starts every stream anew, at its own path."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, run

DRAW = """
import json, os, random, sys, threading
import numpy
import seed_init
from seed_init.hook import state, units

def draw():
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), numpy.random.rand(), *made]

"""


def told(python: Path, code: str, seed: str | None = "7", **env: str) -> Any:
    source = DRAW + textwrap.dedent(code)
    return answer(python, "-c", source, env={"SEED": seed, **env})


def test_the_same_parts_give_the_same_streams_and_others_others(python: Path) -> None:
    code = """
        def at(*parts):
            with seed_init.stream(*parts):
                return draw()
        print(json.dumps([at("a", 1), at("a", 2), at("a", 1), at("a", "1"), draw()]))
    """
    first, second, again, text, outside = told(python, code)
    assert first == again
    for number in range(4):
        assert len({each[number] for each in (first, second, text, outside)}) == 4
    assert told(python, code)[0] == first
    assert told(python, code, seed="8")[0] != first
    unseeded = told(python, code, SEED_INIT="0")
    assert len({tuple(each) for each in unseeded}) == 5


def test_what_ran_before_goes_on_after_a_with_block(python: Path) -> None:
    inner = "draw()\n    with seed_init.stream('b'): draw()\n    seed_init.stream('c'); draw()"
    block = f"draw()\nwith seed_init.stream('a'):\n    {inner}\nprint(json.dumps(draw()))"
    assert told(python, block) == told(python, "draw(); print(json.dumps(draw()))")


def test_a_call_starts_streams_that_go_on_until_the_next_call(python: Path) -> None:
    code = """
        told = []
        for number in range(3):
            seed_init.stream("step", number)
            told += [draw(), draw()]
            with seed_init.stream("step", number):
                told.append(draw())
            told.append(draw())
        print(json.dumps([told, len(state.rounds)]))
    """
    steps, depth = told(python, code)
    assert depth == 2
    for number in range(3):
        first, second, inside, third = steps[4 * number : 4 * number + 4]
        assert inside == first
        assert len({tuple(each) for each in (first, second, third)}) == 3
    assert len({tuple(each) for each in steps}) == 9


def test_named_streams_nest(python: Path) -> None:
    code = """
        told = []
        for outer in ("a", "b"):
            with seed_init.stream(outer):
                with seed_init.stream("x"):
                    told.append(draw())
        print(json.dumps(told))
    """
    first, second = told(python, code)
    assert first != second


def test_a_named_stream_is_the_same_in_whichever_worker(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "workers.py"
    program.write_text(
        DRAW
        + textwrap.dedent("""
        import multiprocessing
        def named(number):
            with seed_init.stream("task", number):
                return draw()
        if __name__ == "__main__":
            told = [[named(0), named(1)]]
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    told.append(pool.map(named, range(2), chunksize=1))
            print(json.dumps(told))
    """)
    )
    main, forked, spawned = answer(python, program, env={"SEED": "7"})
    assert main == forked == spawned
    assert main[0] != main[1]


def test_children_that_are_forked_in_a_stream_have_places_below_it(python: Path) -> None:
    code = """
        def child():
            read, write = os.pipe()
            if not os.fork():
                os.write(write, json.dumps(draw()).encode())
                os._exit(0)
            os.wait()
            return json.loads(os.read(read, 10000))
        told = [child()]
        for part in "aab":
            with seed_init.stream(part):
                told += [child(), child()]
        print(json.dumps(told))
    """
    before, *children = told(python, code)
    assert children[:2] == children[2:4]
    assert len({tuple(each) for each in (before, *children)}) == 5


@pytest.mark.parametrize(
    "call, error",
    [
        ("()", "stream() needs a path: a name or number, or several"),
        ("(1.5)", "a part of a path must be text or an integer, not float"),
        ("('a', True)", "a part of a path must be text or an integer, not bool"),
        ("(None)", "a part of a path must be text or an integer, not NoneType"),
    ],
)
def test_a_path_is_made_of_texts_and_integers(python: Path, call: str, error: str) -> None:
    done = run(python, "-c", f"import seed_init; seed_init.stream{call}", env={"SEED": "7"})
    assert done.stderr.splitlines()[-1] == f"TypeError: {error}"


def test_without_a_seed_nothing_is_started(python: Path) -> None:
    code = """
        def at(*parts):
            with seed_init.stream(*parts):
                return draw()
        print(json.dumps([at("a"), at("a")]))
    """
    first, second = told(python, code, seed=None)
    assert not set(first) & set(second)


UNITS = """
def unit(*path, **how):
    running = units.begin("test", path, **how)
    try:
        return draw()
    finally:
        units.end(running)
"""


def test_a_unit_takes_a_worker_and_what_it_leaves_does_not_reach_the_next(python: Path) -> None:
    code = f"""{UNITS}
random.seed(1)
told = [unit("task", 1), draw()]
random.seed(5); numpy.random.rand(3)
told += [unit("task", 2), unit("task", 1), draw()]
print(json.dumps(told))"""
    first, between, second, again, after = told(python, code)
    assert first == again
    assert len({tuple(each) for each in (first, between, second, after)}) == 4
    assert not set(between[2:]) & set(after[2:])
    code = f"{UNITS}print(json.dumps([unit('task', 2), unit('task', 1)]))"
    assert told(python, code) == [second, first]


def test_a_program_goes_on_where_it_was_when_a_unit_has_run_in_it(python: Path) -> None:
    code = f"{UNITS}draw(); unit('task', 1, aside=True); print(json.dumps(draw()))"
    assert told(python, code) == told(python, "draw(); print(json.dumps(draw()))")


def test_units_beside_each_other_do_not_touch_the_global_generators(python: Path) -> None:
    """Of two threads that run units, only what is numbered by thread follows the unit."""
    code = f"""{UNITS}
told, ready, go = {{}}, threading.Event(), threading.Event()
def other():
    running = units.begin("test", ("task", 2))
    first = numpy.random.default_rng().random()
    ready.set(); go.wait()
    told["other"] = [first, numpy.random.default_rng().random()]
    units.end(running)
running = units.begin("test", ("task", 1))
random.random()
thread = threading.Thread(target=other)
thread.start(); ready.wait()
told["here"] = [random.random(), numpy.random.default_rng().random()]
units.end(running)
go.set(); thread.join()
told["seconds"] = [unit("task", number) for number in (1, 2)]
running = units.begin("test", ("task", 1))
random.random(); told["alone"] = random.random()
running = units.begin("test", ("task", 2))
told["pair"] = [numpy.random.default_rng().random(), numpy.random.default_rng().random()]
print(json.dumps(told))"""
    all_told = told(python, code)
    assert all_told["here"][0] == all_told["alone"]
    assert all_told["here"][1] == all_told["seconds"][0][2]
    assert all_told["other"] == all_told["pair"]


def test_a_thread_of_a_program_leaves_the_programs_generators_alone(python: Path) -> None:
    code = f"""{UNITS}
told = [[], []]
thread = threading.Thread(target=lambda: told[0].extend(unit("task", 1, aside=True)))
thread.start(); thread.join()
told[1] = draw()[:2], unit("task", 1)
print(json.dumps(told))"""
    in_thread, (after, alone) = told(python, code)
    plain = told(python, "print(json.dumps([draw(), draw()]))")
    assert in_thread[:2] == plain[0][:2]
    assert after == plain[1][:2]
    assert in_thread[2:] == alone[2:]


def test_a_process_stays_what_a_unit_has_made_of_it(python: Path) -> None:
    """What runs, is numbered and is named in an actor is below the actor, between calls as well."""
    code = f"""{UNITS}
running = units.begin("test", ("actor", 1))
first = draw()
units.stay(running)
told = [first, draw(), unit("call", 1)]
with seed_init.stream("a"):
    told.append(draw())
told += [draw(), state.path, units.current().path, len(units._running)]
print(json.dumps(told))"""
    *draws, path, unit, running = told(python, code)
    assert len({tuple(each) for each in draws}) == 5
    assert [path, unit, running] == [["actor", 1], ["actor", 1], 0]
    code = f"{UNITS}print(json.dumps([unit('actor', 1), unit('call', 1)]))"
    assert told(python, code) == [draws[0], draws[2]]


def test_an_adapter_may_know_of_other_threads(python: Path) -> None:
    code = f"""{UNITS}
told = [draw(), unit("task", 1, shared=True), draw()]
print(json.dumps(told + [unit("task", 1)]))"""
    first, shared, last, alone = told(python, code)
    plain = told(python, "print(json.dumps([draw(), draw(), draw()]))")
    assert [each[:2] for each in (first, shared, last)] == [each[:2] for each in plain]
    assert shared[2:] == alone[2:]


def test_what_other_threads_begin_does_not_make_way_for_a_guest(python: Path) -> None:
    """A guest shares the process whatever else runs there, and so does what it begins itself."""
    code = f"""{UNITS}
def guest():
    running = units.begin("test", ("guest",), aside=True, shared=True)
    told.append(unit("task", 2, aside=True)[2:]); began.set(); done.wait()
    units.end(running)
told, began, done = [], threading.Event(), threading.Event()
thread = threading.Thread(target=guest); thread.start(); began.wait()
told += [unit("task", 1, aside=True), draw()[:2]]
with seed_init.stream("a"):
    told.append(draw())
done.set(); thread.join()
print(json.dumps(told))"""
    inner, task, after, named = told(python, code)
    alone = f"""{UNITS}
told = [unit("task", 2, shared=True)[2:], unit("task", 1, aside=True), draw()[:2]]
with seed_init.stream("a"):
    told.append(draw())
print(json.dumps(told))"""
    assert [inner, task, after, named] == told(python, alone)


def test_the_submitters_seed_takes_the_place_of_the_workers(python: Path) -> None:
    code = f"{UNITS}print(json.dumps([unit('task', 1, seed=9), unit('task', 1, seed=8)]))"
    assert told(python, code) == told(python, code, seed="9")
    assert told(python, code, seed=None, DETERMINISM="warn") == told(python, code)
    alone = f"{UNITS}print(json.dumps(unit('task', 1)))"
    assert told(python, alone, seed="8") == told(python, code)[1]


def test_kept_libraries_go_on(python: Path) -> None:
    code = f"""{UNITS}
random.seed(5); expected = random.Random(5)
one, two = unit("task", 1, keep=frozenset({{"random"}})), unit("task", 1)
print(json.dumps([one, two, expected.random()]))"""
    kept, fresh, expected = told(python, code)
    assert kept[0] == expected
    assert kept[1:] == fresh[1:]


def test_same_and_leave_say_what_a_unit_draws(python: Path) -> None:
    code = f"{UNITS}print(json.dumps([unit('task', 1), unit('task', 1), draw()]))"
    plain = told(python, "print(json.dumps([draw() for _ in range(3)]))")
    assert told(python, code, SEED_INIT_TASKS="same") == plain
    first, second, _ = left = told(python, code, SEED_INIT_TASKS="leave")
    assert not set(first) & set(second)
    assert told(python, code, SEED_INIT_TASKS="leave")[:2] != left[:2]


def test_a_forked_child_of_a_unit_is_no_unit(python: Path) -> None:
    code = """
        running = units.begin("test", ("task", 1))
        read, write = os.pipe()
        if not os.fork():
            units.end(running)
            os.write(write, json.dumps([state.path, units.current() is None]).encode())
            os._exit(0)
        os.wait()
        print(os.read(read, 10000).decode())
    """
    assert told(python, code) == [["task", 1, "fork", 1], True]


def test_a_unit_that_waits_goes_on_when_another_one_has_had_the_process(python: Path) -> None:
    """Also if it ends before the other one, and if it never goes on."""
    code = f"""{UNITS}
def inner():
    told.append(unit("task", 2))
outer, told = units.begin("test", ("task", 1)), []
told.append(draw())
units.wait()
thread = threading.Thread(target=inner); thread.start(); thread.join()
units.go_on()
told.append(draw())
units.end(outer)
told += [unit("task", 2), [state.path, len(state.rounds), len(units._holders)]]

running = threading.Event(), threading.Event()
def late():
    one = units.begin("test", ("task", 2))
    running[0].set(); running[1].wait()
    told.append(draw())
    units.end(one)
outer = units.begin("test", ("task", 1))
units.wait()
thread = threading.Thread(target=late); thread.start(); running[0].wait()
units.end(outer)
running[1].set(); thread.join()
told += [[state.path, len(state.rounds), len(units._holders)], unit("task", 2)]
print(json.dumps(told))"""
    first, inner, second, alone, end, late, late_end, last = told(python, code)
    code = f"{UNITS}units.begin('test', ('task', 1)); print(json.dumps([draw(), draw()]))"
    assert [first, second] == told(python, code)
    assert inner == alone == late == last
    assert end == late_end == [[], 1, 0]


def test_nothing_grows_with_the_number_of_units(python: Path) -> None:
    code = f"""{UNITS}
from seed_init.hook import numbering
from seed_init import api
for number in range(50):
    unit("task", number); unit("task", number, aside=True); seed_init.stream(number); draw()
print(json.dumps([len(state.rounds), len(state.units), len(units._running),
    len(numbering._counts.by_origin), len(numbering._count_by_label)]))"""
    sizes = told(python, code)
    assert all(size < 6 for size in sizes), sizes


def test_a_path_that_is_told_for_a_fork_is_for_one_child(python: Path) -> None:
    """What forks besides, in a callback of the server that starts a worker, is not like it."""
    code = """
        from seed_init.hook import children
        children.starting[threading.get_ident()] = ("worker", 1)
        told = []
        for _ in range(2):
            read, write = os.pipe()
            if not os.fork():
                os.write(write, json.dumps([state.path, draw()]).encode())
                os._exit(0)
            os.wait()
            told.append(json.loads(os.read(read, 10000)))
        print(json.dumps(told))
    """
    (one, first), (two, second) = told(python, code)
    assert (one, two) == (["worker", 1], ["fork", 1])
    assert not set(first) & set(second)
