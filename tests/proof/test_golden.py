"""`seed-init verify --golden`: the digests of a run in a small file, and a later run beside it."""

import json
import re
import struct
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, environment_of
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying import golden, golden_runs
from seed_init.proof.verifying.golden import Section

from .verified import by_command

Event = dict[str, Any]


# The file


def vector(*numbers: int) -> str:
    return b64encode(struct.pack(f"<{len(numbers)}q", *numbers)).decode()


def process(
    steps: int, change: Callable[[Event], None] | None = None, rank: int | None = None
) -> Process:
    """A process that trains; `change` may change its steps."""
    header = {"event": "process", "path": [], "rank": rank, "argv": ["train.py"]}
    events: list[Event] = [{"event": "start", "optimizer": 0, "parameters": vector(7)}]
    for call in range(steps):
        loss = 1 / (call + 1)
        bits = struct.pack(">d", loss).hex()
        step: Event = {"event": "step", "optimizer": 0, "call": call, "loss": [[loss, bits]]}
        step |= {"rng": {"torch": f"at {call}"}, "gradients": vector(call + 10)}
        step["parameters"] = vector(call + 20)
        if change is not None:
            change(step)
        events.append(step)
    final = [{"optimizer": 0, "digests": [f"{steps}"]}]
    events.append({"event": "end", "generators": {"torch": f"{steps}"}, "final": final})
    return Process(header, Path(), events)


def section(*processes: Process, like: Section | None = None, **facts: str) -> Section:
    """What is kept of a run."""
    trained = golden.trained(processes, like.processes if like is not None else None)
    return Section({"SEED": "7", **facts}, {"commit": "abc"}, trained, (2, "0" * 16), {})


def back(place: Path, *sections: Section) -> list[Section]:
    """Sections as they are read again."""
    file = place / "golden.txt"
    file.write_text(golden.as_text(sections))
    return golden.read(file)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    whole = section(process(25), process(3, rank=1), **{"command": "python train.py: a 'b'"})
    whole.files = {"out/model: 1.pt": "1" * 16}
    whole.output = (12345, "2" * 16)
    other = section(process(1, lambda step: step.update(loss=[])), SEED="8")
    assert back(tmp_path, whole, other) == [whole, other]


def test_the_file_is_small_and_has_one_line_a_checkpoint(tmp_path: Path) -> None:
    text = golden.as_text([section(process(1234))])
    numbers = [int(number) for number in re.findall(r"^  step (\d+) of", text, re.MULTILINE)]
    assert numbers == [*range(1, 11), *range(20, 101, 10), *range(200, 1001, 100), 1234]
    assert len(text) < 6000
    assert max(map(len, text.splitlines())) < 160


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: "", "its first line is not 'seed-init golden 1'"),
        (lambda text: "mine\n" + text, "its first line is not 'seed-init golden 1'"),
        (lambda text: text.replace("golden 1", "golden 2"), "is of another format"),
        (lambda text: text.replace("losses", "loses"), "line 11 is not understood"),
        (lambda text: text.replace("environment\n", "environs\n"), "is not understood"),
        (lambda text: text + "<<<<<<< HEAD\n", "is not understood"),
        (lambda text: text.replace("step 1 of", "step one of"), "is not understood"),
        (lambda text: "\udcff" + text, "it is no text"),
    ],
)
def test_what_is_no_golden_file_is_one_line(
    tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    file = tmp_path / "golden.txt"
    text = change(golden.as_text([section(process(2))]))
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(golden.NotGolden) as raised:
        golden.read(file)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


# A run beside it


def first(golden_steps: int, run: Process) -> Any:
    kept = section(process(golden_steps))
    return golden.first_difference(kept, section(run, like=kept))


def test_an_equal_run_has_no_difference() -> None:
    assert first(25, process(25)) is None


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("rng", {"torch": "elsewhere"}, "draw"),
        ("loss", [[9.0, "0" * 16]], "loss"),
        ("gradients", vector(99), "gradient"),
        ("parameters", vector(99), "parameter"),
    ],
)
@pytest.mark.parametrize(
    ("call", "start", "where"), [(4, 4, "differ"), (16, 10, "differ in one of steps 10 to 19")]
)
def test_the_first_checkpoint_that_differs_is_told_with_what_differs(
    name: str, value: Any, level: str, call: int, start: int, where: str
) -> None:
    def change(step: Event) -> None:
        if step["call"] == call:
            step[name] = value

    difference = first(25, process(25, change))
    assert (difference.level, difference.step) == (level, start)
    assert where in difference.text


def test_what_others_follow_from_is_told_first() -> None:
    def change(step: Event) -> None:
        step.update(rng={}, parameters=vector(1))

    assert first(3, process(3, change)).level == "draw"


def test_fewer_or_more_steps_are_a_difference_after_the_equal_ones() -> None:
    fewer, more = first(25, process(17)), first(25, process(31))
    assert (fewer.level, fewer.text) == (
        "trace",
        "the run ended after 17 steps, and the golden run after 25",
    )
    assert (more.level, more.text) == (
        "trace",
        "the golden run ended after 25 steps, and this one goes on",
    )
    changed = process(31, lambda step: step.update(parameters=vector(step["call"])))
    assert first(25, changed).level == "parameter"


def test_a_rank_that_only_one_of_them_has_is_a_difference() -> None:
    both = process(2, rank=0), process(2, rank=1)
    kept = section(*both)
    assert list(kept.processes) == ["rank 0", "rank 1"]
    assert golden.first_difference(kept, section(both[0], like=kept)) is not None
    assert golden.first_difference(section(both[0]), kept) is not None
    other = process(2, lambda step: step.update(parameters=vector(1)), rank=1)
    difference = golden.first_difference(kept, section(both[0], other, like=kept))
    assert difference is not None
    assert difference.who == "rank 1"


def test_of_output_and_files_each_is_compared() -> None:
    kept, run = section(process(1)), section(process(1))
    run.output = (3, "0" * 16)
    found = golden.first_difference(kept, run)
    assert found is not None
    assert found.level == "output"
    run = section(process(1))
    run.files["out.pt"] = "1" * 16
    found = golden.first_difference(kept, run)
    assert found is not None
    assert found.text == "out.pt differs"


def test_a_cpu_of_another_kind_is_another_environment_unless_it_computes_the_same() -> None:
    here = {"SEED": "7", golden.CPU: "one", golden.ARITHMETIC: "1"}
    kept = Section(here)
    assert golden.unlike(kept, {**here, golden.CPU: "another"}) == []
    other = {**here, golden.CPU: "another", golden.ARITHMETIC: "2"}
    assert len(golden.unlike(kept, other)) == 2
    unknown = {**here, golden.ARITHMETIC: golden.UNKNOWN}
    assert golden.unlike(Section(unknown), {**unknown, golden.CPU: "another"}) == [
        (golden.CPU, "one", "another")
    ]


def test_a_new_golden_run_takes_the_place_of_that_of_its_environment_alone() -> None:
    seven, eight = section(process(1)), section(process(1), SEED="8")
    new = section(process(2), SEED="8")
    assert golden_runs.joined([seven, eight], new) == [seven, new]
    assert golden_runs.joined([seven], new) == [seven, new]


def test_the_environment_with_the_same_settings_is_nearest() -> None:
    far = {"SEED": "7", "torch": "1", "numpy": "1", "Python": "1"}
    near = {"SEED": "8", "torch": "2", "numpy": "2", "Python": "2"}
    here = {"SEED": "7", "torch": "2", "numpy": "2", "Python": "2"}
    distances = [golden_runs._distance(golden.unlike(Section(each), here)) for each in (far, near)]
    assert distances[0] < distances[1]


def test_golden_runs_of_other_options_are_not_joined() -> None:
    seven, eight = section(process(1)), section(process(1), SEED="8")
    eight.told = {"--file": "out.pt"}
    with pytest.raises(golden_runs.OtherOptions) as raised:
        golden_runs.joined([seven], eight)
    assert str(raised.value) == (
        "the golden run was written with --file (not given), and this run is made with --file "
        "out.pt; give the same, or write another file"
    )
    assert golden_runs.joined([section(process(2), SEED="8")], eight) == [eight]


# Real runs

PROGRAM = """
import random, sys
print(random.random())
"""


def verify(python: Path, place: Path, *words: Path | str, seed: str = "7") -> Completed:
    """Run `seed-init verify --golden golden.txt` of a program in a directory."""
    command = ("--", python, "program.py")
    return by_command(python, place, "--golden", "golden.txt", *words, *command, env={"SEED": seed})


@pytest.mark.slow
def test_a_golden_run_is_written_compared_and_joined_by_that_of_another_environment(
    python: Path, tmp_path: Path
) -> None:
    file = tmp_path / "golden.txt"
    (tmp_path / "program.py").write_text(PROGRAM)
    none = verify(python, tmp_path)
    assert (none.returncode, none.stdout) == (2, "")
    assert none.stderr == (
        "seed-init verify: there is no golden file golden.txt; --update writes it\n"
    )

    made = verify(python, tmp_path, "--update", "--no-perturb")
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[-1].startswith("golden run written to golden.txt: ")
    before = file.read_text()
    assert "  command: python program.py\n" in before  # of any machine
    assert "  SEED: 7\n" in before
    assert str(tmp_path) not in before

    same = verify(python, tmp_path)
    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout.startswith("IDENTICAL: ")

    # Another environment is named before the verdict.
    other = verify(python, tmp_path, seed="8")
    assert other.returncode == 3, other.stdout + other.stderr
    first, second, _, headline, *_ = other.stdout.splitlines()
    assert first.startswith("golden.txt has no golden run for this environment; the nearest one ")
    assert second == "  SEED: 7, and here 8"
    assert headline.startswith("NO GOLDEN RUN: ")
    assert file.read_text() == before
    added = verify(python, tmp_path, "--update", "--no-perturb", seed="8")
    assert added.returncode == 0, added.stderr
    assert len(golden.read(file)) == 2
    assert golden.as_text(golden.read(file)[:1]).strip() == before.strip()
    assert verify(python, tmp_path, seed="8").returncode == 0

    # Another program of the same environment is a difference.
    (tmp_path / "program.py").write_text(PROGRAM + "random.random()\n")
    differs = verify(python, tmp_path, "--json")
    result = json.loads(differs.stdout)
    assert (differs.returncode, result["verdict"]) == (1, "different")
    assert (result["difference"]["level"], result["reason"]) == ("generator", None)
    assert len(result["runs"]) == 2  # the second one says whether the program repeats itself


@pytest.mark.slow
def test_equal_bits_need_no_equal_environment(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print('the same')")
    assert verify(python, tmp_path, "--update", "--no-perturb").returncode == 0
    text = (tmp_path / "golden.txt").read_text()
    (tmp_path / "golden.txt").write_text(text.replace("  Python: 3.", "  Python: 2."))
    done = verify(python, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "the nearest one differs in:\n  Python: 2." in done.stdout
    assert "the golden run of another environment in golden.txt" in done.stdout


@pytest.mark.slow
def test_a_run_that_is_compared_by_other_options_is_refused(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import time; print('the same'); print(time.time())")
    words = ("--ignore-output", r"^\d")
    assert verify(python, tmp_path, "--update", *words).returncode == 0
    assert verify(python, tmp_path, *words).returncode == 0
    done = verify(python, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the golden run was written with --ignore-output '^\\d', and this run " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_two_golden_runs_that_are_written_at_one_time_are_both_there(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text("import time; time.sleep(1); print('the same')")
    words = (python, "-m", "seed_init", "verify", "--golden", "golden.txt", "--update")
    processes = [
        subprocess.Popen(
            [*words, "--no-perturb", "--", python, "program.py"],
            cwd=tmp_path,
            env=environment_of(python, {"SEED": str(seed)}),
            stdout=subprocess.DEVNULL,
        )
        for seed in range(3)
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    seeds = [each.facts["SEED"] for each in golden.read(tmp_path / "golden.txt")]
    assert sorted(seeds) == ["0", "1", "2"]


@pytest.mark.slow
def test_what_does_not_repeat_itself_becomes_no_golden_run(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print('the same')")
    assert verify(python, tmp_path, "--update", "--no-perturb").returncode == 0
    before = (tmp_path / "golden.txt").read_text()
    (tmp_path / "program.py").write_text("import os; print(os.urandom(4).hex())")
    done = verify(python, tmp_path, "--update", "--no-perturb", "--no-locate")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "no golden run: golden.txt stays as it is"
    assert (tmp_path / "golden.txt").read_text() == before
    done = verify(python, tmp_path)
    assert done.returncode == 1
    assert "the run does not repeat itself, so that no golden run can hold for it" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--update",), "--update needs --golden with the file that it writes"),
        (("--golden", "mine.txt"), "mine.txt is no golden file: its first line is not "),
        (("--golden", "mine.txt", "--update"), "mine.txt is no golden file"),
        (("--golden", ".", "--update"), ". is a directory; give a file"),
        (("--golden", "none/a", "--update"), "there is no directory none; make it first"),
        (("--golden", "mine.txt", "--no-locate"), "--update goes without --no-locate: leave one"),
        (("--golden", "mine.txt", "--runs", "3"), "--update goes without --runs: leave one of"),
        (("--against", "HEAD", "--no-perturb"), "--against goes without --no-perturb: leave one"),
        (("--golden", "mine.txt", "--portable"), "goes without --portable: leave one of them out"),
        (("--golden", "mine.txt", "--against", "HEAD"), "--against goes without --golden"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_run_or_overwritten(
    python: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    (tmp_path / "mine.txt").write_text("mine\n")
    done = by_command(python, tmp_path, *words, "--", "touch", "ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "mine\n"


@pytest.mark.torch
def test_a_training_is_compared_step_by_step(python: Path, tmp_path: Path) -> None:
    code = """
import torch
model = torch.nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(24):
    optimizer.zero_grad()
    model(torch.randn(4, 8)).square().mean().backward()
    if step == CHANGED:
        model.bias.grad.mul_(1.01)
    optimizer.step()
"""
    (tmp_path / "program.py").write_text(code.replace("CHANGED", "-1"))
    made = verify(python, tmp_path, "--update", "--no-perturb")
    assert made.returncode == 0, made.stdout + made.stderr
    last = made.stdout.splitlines()[-1]
    assert last.startswith("golden run written to golden.txt: 12 checkpoints of 24 steps")
    (tmp_path / "program.py").write_text(code.replace("CHANGED", "13"))
    done = verify(python, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    # Which of these steps was the first is not known, and so not what follows from what.
    told = "the losses, the gradients and the parameters differ in one of steps 10 to 19 (loss "
    assert f"first observed at step 10: {told}" in done.stdout
    assert "if it is meant: --update writes the golden run anew" in done.stdout
