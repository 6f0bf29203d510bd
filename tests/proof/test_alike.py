"""Processes and units of work of one run that draw the same numbers: what `audit` says of them."""

from pathlib import Path
from typing import Any

from harness.processes import run
from seed_init.proof.auditing import alike, collecting
from seed_init.proof.trace.journal import Process

Event = dict[str, Any]


def process(*events: Event, pid: int = 1, argv: str = "python a.py", **header: Any) -> Process:
    made = {"pid": pid, "parent": 0, "path": [], "rank": None, "argv": argv.split(), **header}
    return Process(made, Path(f"{pid}.jsonl"), list(events))


def drew(*generators: str, began: float = 0, ended: float = 1, **fields: Any) -> Event:
    event = {"event": "drew", "seed": 7, "path": [], "rank": None, "sent": [], **fields}
    return {**event, "generators": list(generators), "began": began, "ended": ended}


def unit(number: int = 1, engine: str = "Dask") -> Event:
    path = ["dask", "f-1"]
    return {"event": "unit", "unit": number, "engine": engine, "path": path, "alone": True}


def found(*processes: Process) -> list[str]:
    return [f"{one.what} {one.processes}" for one in collecting.collect(processes)]


def test_two_processes_of_one_program_that_both_drew_are_alike() -> None:
    one, other = process(drew("random", "torch")), process(drew("random"), pid=2)
    assert found(one, other) == ["random 2"]
    [finding] = collecting.collect([one, other])
    assert finding.kind == "alike" and "python a.py" in finding.detail


def test_what_only_one_of_them_has_drawn_from_is_no_finding() -> None:
    assert found(process(drew("random")), process(drew("torch"), pid=2)) == []
    assert found(process(drew("random")), process(pid=2)) == []  # it has only waited


def test_another_seed_another_path_or_another_rank_is_another_stream() -> None:
    one = process(drew("random"))
    for other in ({"seed": 8}, {"path": ["worker", "b"]}, {"rank": 1}):
        assert found(one, process(drew("random", **other), pid=2)) == []


def test_ranks_that_are_to_be_the_same_are_no_finding_but_two_processes_of_a_rank_are() -> None:
    ranks = [process(drew("torch", rank=rank), pid=rank + 1) for rank in (0, 1)]
    assert found(*ranks) == []
    assert found(*ranks, process(drew("torch", rank=1), pid=9)) == ["torch 2"]


def test_one_program_run_again_is_alike_and_a_pipeline_of_programs_is_not() -> None:
    first = process(drew("random", began=0, ended=1), argv="python -X dev a.py 1")
    again = process(drew("random", began=2, ended=3), argv="python a.py 2", pid=2)
    after = process(drew("random", began=2, ended=3), argv="python b.py", pid=2)
    beside = process(drew("random", began=0.5, ended=3), argv="python b.py", pid=2)
    assert found(first, again) == ["random 2"]
    assert found(first, after) == []
    assert found(first, beside) == ["random 2"]


def test_children_are_of_the_program_that_has_started_them() -> None:
    child = drew("random", path=["process", 1])
    spawn = "python -c spawn_main"
    both = [
        [
            process(pid=number, argv=f"python {program}"),
            process(
                {**child, "began": number, "ended": number + 0.5},
                pid=number + 1,
                parent=number,
                path=["process", 1],
                argv=spawn,
            ),
        ]
        for number, program in ((1, "a.py"), (11, "b.py"), (21, "a.py"))
    ]
    assert found(*both[0], *both[1]) == []
    assert found(*both[0], *both[2]) == ["random 2"]


def test_a_unit_that_is_tried_again_is_no_finding_and_two_at_one_time_are() -> None:
    path = ["dask", "f-1"]
    first = process(unit(), drew("random", unit=1, path=path, began=0, ended=1))
    again = process(unit(4), drew("random", unit=4, path=path, began=2, ended=3), pid=2)
    beside = process(unit(4), drew("random", unit=4, path=path, began=0, ended=3), pid=2)
    assert found(first, again) == []
    assert found(first, beside) == ["random 2"]
    [finding] = collecting.collect([first, beside])
    assert "2 units of Dask" in finding.detail and "dask f-1" in finding.detail


def test_two_that_submit_units_under_one_path_are_alike() -> None:
    one, other = process(drew(sent=["Celery"])), process(drew(sent=["Celery"]), pid=2)
    assert found(one, other) == ["the units submitted to Celery 2"]


def test_a_program_is_known_by_its_script_its_module_or_its_code() -> None:
    for argv, program in (
        ("python -u -X dev a.py 1", ("a.py",)),
        ("python -m a --b", ("-m", "a")),
        ("python -c pass", ("-c", "pass")),
        ("python", ()),
    ):
        assert alike.program_of(process(argv=argv)) == program


def test_a_loop_of_a_shell_is_told_how_each_of_its_programs_gets_its_own_streams(
    python: Path, tmp_path: Path
) -> None:
    program = tmp_path / "one.py"
    program.write_text("import random; print(random.random())")
    (tmp_path / "other.py").write_text("import random; random.seed(3); random.random()")
    loops = {
        "plain": f'for i in 1 2; do "{python}" one.py $i & done; wait',
        "told": f'for i in 1 2; do SEED_INIT_WORKER=$i "{python}" one.py & done; wait',
        "own": f'for i in 1 2; do "{python}" other.py & done; wait',
    }
    said = {}
    for name, loop in loops.items():
        words = ("-m", "seed_init", "audit", "--fail-on", "alike", "--", "sh", "-c", loop)
        said[name] = run(python, *words, env={"SEED": "7"}, cwd=tmp_path)
    assert [done.returncode for done in said.values()] == [1, 0, 0]
    assert "one.py 1; python3" in said["plain"].stdout
    assert "SEED_INIT_WORKER" in said["plain"].stdout
