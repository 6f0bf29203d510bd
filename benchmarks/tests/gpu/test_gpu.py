"""What `make gpu` makes of answers: verdicts, means, files, and what does not fit."""

import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.cost import record, table
from benchmarks.gpu import alerts, evidence, judging, price, scheduling
from benchmarks.gpu.checks import CHECKS, Check
from benchmarks.gpu.judging import BITS, FAIL, HOST, INFO, NOT_RUN, PASS, TIME, Outcome
from benchmarks.gpu.room import Ended, Room
from seed_init.proof.cost.measuring import Measured

ONE = {"results": 1, "ms": 0.5, "backend": "Flash"}
TWO = {**ONE, "results": 2}
ATTENTION = {"default bfloat16": ONE, "flash": ONE, "default float32": ONE, "warn_only": True}


@pytest.mark.parametrize(
    ("level", "told", "verdict"),
    [
        ("warn", {}, PASS),
        ("warn", {"cudnn, asked for": TWO}, PASS),
        ("warn", {"flash": TWO}, FAIL),
        ("warn", {"default bfloat16": {"error": "no kernel"}}, FAIL),
        ("warn", {"warn_only": False}, FAIL),
        ("strict", {"warn_only": False}, PASS),
        ("off", {"flash": TWO, "warn_only": False}, INFO),
    ],
)
def test_attention_gives_one_result_under_warn_and_strict(
    level: str, told: dict[str, Any], verdict: str
) -> None:
    assert judging.attention(level, {**ATTENTION, **told}).verdict == verdict


def model(results: int | None = 1, warned: bool = False, error: str | None = None) -> Any:
    texts = ["ctc_loss does not have a deterministic implementation"] if warned else []
    line = {"model": "ctc", "results": results, "repeats": 30, "error": error, "warned": texts}
    return line


ALERT = "put_ does not have a deterministic implementation"


@pytest.mark.parametrize(
    ("level", "line", "verdict"),
    [
        ("warn", model(), PASS),
        ("warn", model(2), FAIL),
        ("warn", model(2, warned=True), PASS),
        ("warn", model(None, error=ALERT), FAIL),
        ("strict", model(None, error=ALERT), PASS),
        ("strict", model(None, error="CUDA out of memory"), FAIL),
        ("off", model(30), INFO),
        ("off", model(None, error="CUDA out of memory"), FAIL),
    ],
)
def test_bits_differ_only_where_pytorch_has_warned(level: str, line: Any, verdict: str) -> None:
    assert judging.bits(level, [line], of=1).verdict == verdict
    assert judging.bits(level, [line], of=2).verdict == FAIL, "a model is missing"


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        ({"off-again": 1.0, "warn": 1.03, "recipe": 1.04}, PASS),
        ({"off-again": 1.0, "warn": 1.031, "recipe": 1.04}, FAIL),
        ({"off-again": 1.0, "warn": 1.02, "recipe": 1.01}, FAIL),
        ({"off-again": 1.02, "warn": 1.02, "recipe": 1.01}, PASS),
        ({"off-again": 1.0, "recipe": 1.01}, FAIL),
        pytest.param({"warn": 1.02}, INFO, id="beside no peer"),
    ],
)
def test_warn_is_within_its_goal_and_no_dearer_than_a_peer(
    means: dict[str, float], verdict: str
) -> None:
    outcome = judging.price(means, {"hf": "transformers is not installed"}, 8)
    assert outcome.verdict == verdict
    assert "hf not run: transformers is not installed" in outcome.detail


def test_a_trace_may_cost_two_percent() -> None:
    told = {"parameters": 100_000_000, "plain_ms": [10.0, 10.0], "traced_ms": [10.2, 10.1]}
    assert judging.trace(told).verdict == PASS
    assert judging.trace({**told, "traced_ms": [10.3, 10.3]}).verdict == FAIL


@pytest.mark.parametrize(
    ("level", "names", "verdict"),
    [
        ("off", ["cumsum", "index_reduce_"], PASS),
        ("off", ["cumsum"], FAIL),
        ("warn", ["index_reduce_"], PASS),
        ("warn", ["cumsum", "index_reduce_"], FAIL),
        ("warn", ["_scaled_dot_product_flash_attention_backward", "index_reduce_"], FAIL),
    ],
)
def test_an_audit_names_what_has_no_deterministic_version(
    level: str, names: list[str], verdict: str
) -> None:
    assert judging.audit(level, names).verdict == verdict


def test_a_product_is_not_dear_on_the_host() -> None:
    off, warn = ({"mm_us": us, "linear_us": us, "results": 1} for us in (3.0, 4.0))
    assert judging.products(off, warn).verdict == PASS
    assert judging.products(off, {**warn, "mm_us": 48.0}).verdict == FAIL
    assert judging.products(off, {**warn, "results": 2}).verdict == FAIL


@pytest.mark.parametrize(
    ("outcome", "answer", "verdict"),
    [
        (Outcome(PASS, ""), HOST, PASS),
        (Outcome(FAIL, ""), HOST, FAIL),
        (Outcome(PASS, ""), BITS, INFO),
        (Outcome(FAIL, ""), BITS, INFO),
        (Outcome(FAIL, ""), TIME, INFO),
        (judging.broke("killed"), TIME, FAIL),
        (judging.broke("the time was over", cut=True), BITS, NOT_RUN),
    ],
)
def test_a_rehearsal_judges_nothing_that_has_to_be_computed(
    outcome: Outcome, answer: str, verdict: str
) -> None:
    found = judging.rehearsed(outcome, answer)
    assert found.verdict == verdict
    assert (judging.MEANS_NOTHING in found.detail) == (verdict == INFO)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, tmp_path, Path(sys.executable), Path(sys.executable), seconds=60)


def test_what_does_not_fit_is_named_and_the_rest_is_run(room: Room) -> None:
    said: list[str] = []
    checks = [
        Check("long", lambda _: Outcome(PASS, ""), HOST, 100),
        Check("short", lambda _: Outcome(PASS, ""), HOST, 1),
        Check("breaks", lambda _: Outcome(PASS, str(1 // 0)), HOST, 1, alone=True),
    ]
    lines = scheduling.run(room, checks, lambda line: said.append(line.check))
    assert [line.outcome.verdict for line in lines] == [NOT_RUN, PASS, FAIL]
    assert "60 s were left" in lines[0].outcome.detail
    assert sorted(said) == ["breaks", "long", "short"]


def test_a_program_that_hangs_is_ended_with_its_children(room: Room, tmp_path: Path) -> None:
    program = tmp_path / "hangs.py"
    program.write_text(
        "import subprocess, sys, time\n"
        "print('{\"got\": 1}', flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    )
    done = room.program(program, timeout=2, SEED_INIT="0")
    assert not done.well and not done.cut and done.why() == "no end within 2 s"
    assert done.last_line() == {"got": 1}


def test_an_interrupted_run_ends_what_it_started(room: Room, tmp_path: Path) -> None:
    program = tmp_path / "sleeps.py"
    program.write_text("import time; print('started', flush=True); time.sleep(60)")

    def ask(room: Room) -> Outcome:
        done = room.program(program, SEED_INIT="0")
        return judging.broke(done.why(), done.cut)

    def interrupt(line: scheduling.Line) -> None:
        raise KeyboardInterrupt

    checks = [Check("quick", lambda _: Outcome(PASS, ""), HOST, 1), Check("slow", ask, HOST, 1)]
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        scheduling.run(room, checks, interrupt)
    assert time.monotonic() - start < 30 and not room.running


def test_what_a_program_raised_is_named_and_not_what_is_printed_after_it() -> None:
    err = "Traceback\nRuntimeError: CUDA error: out of luck\nCompile with TORCH_USE_CUDA_DSA"
    assert Ended(1, "", err).why() == "status 1: RuntimeError: CUDA error: out of luck"


def test_programs_see_no_flag_of_the_caller(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    monkeypatch.setenv("DETERMINISM", "strict")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = room.environment(SEED=None)
    assert found["CUDA_VISIBLE_DEVICES"] == "1"
    assert not {"CUBLAS_WORKSPACE_CONFIG", "DETERMINISM", "SEED"} & found.keys()


def test_names_of_checks_are_said_once() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names))


FACTS = {
    **{"torch": "2.11.0+cu130", "cuda": "13.0", "cudnn": 91900, "gpu": "NVIDIA H200"},
    "capability": [9, 0],
}


def cost(warn: float) -> dict[str, Any]:
    """A price of two models, of which one is `warn` times as dear under `warn`."""
    measured: dict[str, dict[str, Measured]] = {"gnn": {}, "lstm": {}}
    for name, factor in (("off", 1.0), ("off-again", 1.0), ("warn", warn), ("recipe", 2.0)):
        for dearer, arms in enumerate(measured.values()):
            arms[name] = Measured(price.ARMS[name].choice)
            line = {"step_ms": [10.0 * (factor if dearer else 1.0)], "digest": "a", "error": None}
            price.add(arms[name], 0, 8, {**line, "peak_bytes": {"allocated": 1}})
            # A second round, without which nobody knows whether the bits are the same.
            price.add(arms[name], 1, 8, {**line, "peak_bytes": {"allocated": 1}})
    described = {
        name: price.describe(price.ARMS[name]) for name in ("off", "off-again", "warn", "recipe")
    }
    missing = {**price.describe(price.ARMS["hf"]), "not_run": "transformers is not installed"}
    return price.result({**described, "hf": missing}, measured, (2, 8, 25), 16)


def test_a_model_that_failed_once_is_not_measured_again() -> None:
    arm = Measured(price.ARMS["warn"].choice)
    price.add(arm, 0, 8, {"error": "ctc_loss does not have a deterministic implementation, but"})
    price.add(arm, 1, 8, {"error": None, "step_ms": [1.0], "digest": "a"})
    (sample,) = arm.samples
    assert (sample.raised, sample.seconds) == ("ctc_loss", ())


# An operator without a deterministic version on the CPU as well.
PUT = """
import torch
for warn_only in (True, False):
    torch.use_deterministic_algorithms(True, warn_only=warn_only)
    torch.zeros(4).put_(torch.tensor([1]), torch.tensor([1.0]))
"""


@pytest.mark.torch
def test_operators_are_read_from_what_pytorch_says() -> None:
    env = {**os.environ, "SEED_INIT": "0"}
    done = subprocess.run([sys.executable, "-c", PUT], env=env, capture_output=True, text=True)
    warned, error = done.stderr.split("Traceback")
    assert alerts.operators(warned) == ["put_"] and alerts.raised(warned) is None
    assert alerts.raised(done.stderr) == "put_" and "RuntimeError" in error
    assert alerts.raised(f"{warned}\nTraceback (most recent call last):\nValueError: no") is None


@pytest.mark.parametrize(
    ("stderr", "words"), [("Traceback\nKeyError: 'a'\n", "KeyError: 'a'"), ("", "status -9")]
)
def test_a_process_failed_for_what_it_said_last(stderr: str, words: str) -> None:
    assert alerts.last_line(stderr, -9) == words


def test_the_mean_is_geometric_over_the_models() -> None:
    outcome = price.judge(cost(1.21))
    assert outcome.told["means"]["warn"] == pytest.approx(1.1)
    assert "warn 1.100" in outcome.detail and "2 models" in outcome.detail


@pytest.mark.parametrize(("within", "names"), [(1, None), (3, ["off", "warn", "recipe"])])
def test_a_first_round_that_is_cut_off_keeps_what_is_worth_it(
    room: Room, monkeypatch: pytest.MonkeyPatch, within: int, names: list[str] | None
) -> None:
    """The time is over during the run after the first `within` ones."""
    trained: list[str] = []

    def train(room: Room, arm: Any, *_: Any) -> dict[str, Any]:
        trained.append(arm.name)
        room.seconds = 0 if len(trained) > within else room.seconds
        cell = {"step_ms": [10.0], "peak_bytes": {"allocated": 1}, "digest": "a"}
        return {"gnn": {**cell, "error": None, "flags": {}, "threads": 4}}

    monkeypatch.setattr(price, "train", train)
    outcome = price.measure(room, 0.0, ["gnn"])
    if names is None:
        assert outcome.verdict == NOT_RUN
        return
    found = outcome.told["cost"]
    assert [row["name"] for row in found["models"]["gnn"]["rows"]] == names
    assert found["arms"]["off-again"]["not_run"] == price.OVER
    assert outcome.verdict == PASS and "off-again not run: the time was over" in outcome.detail


def result(of: Callable[[dict[str, Any]], Any] = lambda found: None) -> dict[str, Any]:
    line = scheduling.Line("attention, warn", Outcome(FAIL, "2 | 1 results"), 5.0, 10.0)
    skipped = scheduling.Line("price", Outcome(NOT_RUN, "3 s were left"), 0.0, 10.0)
    checks = [line.to_json(), skipped.to_json()]
    found = evidence.result(FACTS, "2026-11-30T03:00:00+00:00", cost(1.21), checks)
    of(found)
    return found


def test_the_evidence_is_named_after_the_gpu_and_torch_and_names_the_machine(
    tmp_path: Path,
) -> None:
    file = evidence.write(tmp_path, result())
    assert file.name == "nvidia-h200-torch-2.11.0-cuda-13.0.json"
    text = file.with_suffix(".md").read_text()
    for part in ("NVIDIA H200", "CUDA 13.0, cuDNN 91900", "Made by `make gpu`", "**1.100**"):
        assert part in text
    assert "| attention, warn | FAIL | 2 \\| 1 results | 5.0 s |" in text
    assert "| price | not run | 3 s were left | 0.0 s |" in text
    words = [each.text for each in ElementTree.parse(file.with_suffix(".svg")).iter() if each.text]
    assert "1.100, identical" in words and "transformers is not installed" in words


def test_the_files_of_another_benchmark_are_left_alone(tmp_path: Path) -> None:
    other = result(lambda found: found["settings"].pop("made_by"))
    first = record.place(tmp_path, other)
    record.write(first, other)
    before = first.read_bytes()
    second = evidence.write(tmp_path, result())
    assert (first.read_bytes(), second.name) == (before, f"{first.stem}-2.json")


def test_a_run_without_a_price_has_a_page_as_well(tmp_path: Path) -> None:
    found = evidence.result(FACTS, "2026-11-30T03:00:00+00:00", {}, result()["checks"])
    file = evidence.write(tmp_path, found)
    assert "| attention, warn | FAIL |" in file.with_suffix(".md").read_text()
    assert table.index({"name": found})


def test_the_page_of_runs_has_a_row_for_each_and_names_what_failed(tmp_path: Path) -> None:
    evidence.write(tmp_path, result())
    page = evidence.publish(tmp_path)
    assert page == tmp_path / "gpu.md"
    text = page.read_text()
    assert evidence.NO_RUN not in text
    assert "| 2.11.0+cu130 | 13.0 | 91900 | 2026-11-30 | 0 | 1 | 0 | 1 | 1.100 |" in text
    assert "**attention, warn**: 2 | 1 results" in text


def test_the_page_in_the_repository_says_what_its_files_say() -> None:
    """Nobody writes a figure by hand."""
    page = evidence.PAGE.read_text()
    assert evidence.BEGIN in page
    found = {file.stem: record.read(file) for file in sorted(evidence.COSTS.glob("*.json"))}
    runs = {name: one for name, one in found.items() if one.get("checks")}
    assert evidence.with_runs(page, copy.deepcopy(runs)) == page
