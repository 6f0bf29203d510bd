"""Children of loky, and of what builds on a copy of multiprocessing, have streams of their own."""

from pathlib import Path

import pytest

from harness.processes import answer

PROGRAM = """
import json, os, random, sys, time
def draw(_):
    time.sleep(0.2)  # so that both workers get items
    return [os.getpid(), random.random(), random.Random().random()]
def loky(workers=2):
    from loky import get_reusable_executor
    return list(get_reusable_executor(workers).map(draw, range(4)))
def pathos(workers=2):
    from pathos.multiprocessing import ProcessPool
    return ProcessPool(workers).map(draw, range(4), chunksize=1)
def mpire(method, use_dill=False):
    from mpire import WorkerPool
    with WorkerPool(2, start_method=method, use_dill=use_dill) as pool:
        return pool.map(draw, range(4), chunk_size=1)
if __name__ == "__main__":
    children = {}
    for number, *drawn in eval(sys.argv[1]):
        children.setdefault(number, []).extend(drawn)
    print(json.dumps(sorted(children.values())))
"""


@pytest.mark.parametrize(
    "call",
    ["loky()", "pathos()", "mpire('fork')", "mpire('spawn')", "mpire('forkserver', use_dill=True)"],
)
def test_children_have_streams_of_their_own(python: Path, tmp_path: Path, call: str) -> None:
    program = tmp_path / "children.py"
    program.write_text(PROGRAM)
    first, second, free = (
        answer(python, program, call, env={"SEED": "7", **env})
        for env in ({}, {}, {"SEED_INIT": "0"})
    )
    # Which child gets which item is scheduling.
    firsts = [child[:2] for child in first]
    assert firsts == [child[:2] for child in second]
    assert len(firsts) == 2
    numbers = [number for child in first for number in child]
    assert len(set(numbers)) == len(numbers) == 8
    assert not set(numbers) & {number for child in free for number in child}


@pytest.mark.parametrize("call", ["loky({})", "pathos({})"])
def test_items_have_streams_of_their_own_on_request(
    python: Path, tmp_path: Path, call: str
) -> None:
    program = tmp_path / "items.py"
    program.write_text(PROGRAM)
    env = {"SEED": "7", "SEED_INIT_POOLS": "item"}
    told = [answer(python, program, call.format(workers), env=env) for workers in (1, 2)]
    assert [len(each) for each in told] == [1, 2]
    one, two = ({number for child in each for number in child} for each in told)
    assert one == two
    assert len(one) == 8
