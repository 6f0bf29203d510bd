"""`seed-init cost`: what each determinism level costs a program, and whether it buys anything."""

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, environment_of, run
from harness.sharing import once
from seed_init.hook import startup
from seed_init.proof.cost import choices, drawing, judging, limit, measuring
from seed_init.proof.cost.choices import CHOICES
from seed_init.proof.cost.judging import Judgement
from seed_init.proof.cost.measuring import Measured, Measurements, Sample

from .support import with_variable

PROGRAMS = Path(__file__).parent / "programs"
VARIABLES = choices.VARIABLES

ON_CPU = [name for name, choice in CHOICES.items() if not choice.needs_cuda]


def cost(python: Path, place: Path, *words: Path | str, **env: str | None) -> Completed:
    """Run `seed-init cost` with options and a command, with SEED=7."""
    return run(
        python,
        *("-m", "seed_init", "cost", *words),
        env={"SEED": "7", "HOME": str(place), **env},
        cwd=place,
        timeout=600,
    )


# A training that repeats only with deterministic algorithms


def measured(python: str, place: str) -> dict[str, Any]:
    """Measure it with everything that a CPU has, and keep all that is left of it."""
    directory = Path(place)
    directory.mkdir()
    options = ("--steps", "4", "--warmup", "1", "--repeats", "2", "--json", "--plot", "cost.svg")
    command = ("--", python, PROGRAMS / "costing.py", *VARIABLES)
    given = {"CUDNN_BENCHMARK": "1", "DETERMINISM": "strict", "TMPDIR": place}
    done = cost(Path(python), directory, *options, *command, **given)
    assert done.returncode == 0, done.stderr
    return {
        "result": json.loads(done.stdout),
        "stderr": done.stderr,
        "files": sorted(entry.name for entry in directory.iterdir()),
        "order": (directory / "order").read_text().splitlines(),
        "svg": (directory / "cost.svg").read_text(),
        "left": with_variable(f"TMPDIR={place}"),
    }


@pytest.fixture
def indexing(python: Path, kept: Path) -> dict[str, Any]:
    found: dict[str, Any] = once(kept, measured, str(python), str(kept / "indexing"))
    return found


@pytest.fixture
def rows(indexing: dict[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in indexing["result"]["rows"]}


@pytest.mark.torch
def test_every_level_and_switch_that_matters_is_measured(rows: dict[str, Any]) -> None:
    assert list(rows) == ON_CPU
    assert {"off", "fast", "warn", "strict"} <= set(rows)
    for row in rows.values():
        assert row["problem"] is None
        assert row["step_spread"][0] <= row["step_seconds"] <= row["step_spread"][1]
        assert row["ratio_spread"][0] <= row["ratio"] <= row["ratio_spread"][1]
        assert row["peak_bytes"] > 50 * 2**20  # torch alone takes more


@pytest.mark.torch
def test_switches_of_cuda_are_named_and_not_run_for_a_program_without(
    indexing: dict[str, Any],
) -> None:
    left_out = indexing["result"]["left_out"]
    assert list(left_out) == [name for name in CHOICES if name not in ON_CPU]
    assert set(left_out.values()) == {"no effect: the program uses no CUDA device"}


@pytest.mark.torch
def test_only_deterministic_algorithms_make_this_training_repeat(rows: dict[str, Any]) -> None:
    same = {name: row["identical"] for name, row in rows.items()}
    assert same.pop("off") is False
    assert same.pop("fast") is False
    assert set(same.values()) == {True}
    assert (rows["off"]["runs"], rows["warn"]["runs"]) == (4, 2)


@pytest.mark.torch
def test_the_operator_behind_it_is_named_with_its_line(indexing: dict[str, Any]) -> None:
    operators = indexing["result"]["operators"]
    (one,) = operators["off"]
    assert one["what"] == "aten::_index_put_impl_"
    assert "embedding[source]" in one["text"]
    assert operators["warn"] == []


@pytest.mark.torch
def test_the_recommendation_says_what_the_price_buys(indexing: dict[str, Any]) -> None:
    said = indexing["result"]["recommendation"]
    assert "your runs are identical; those of off are not." in said


@pytest.mark.torch
def test_each_run_ends_after_its_steps(indexing: dict[str, Any]) -> None:
    samples = indexing["result"]["samples"]
    for name, found in samples.items():
        assert [one["steps_made"] for one in found] == [5] * (4 if name == "off" else 2)
        assert {len(one["step_seconds"]) for one in found} == {4}
        assert {one["failed"] for one in found} == {None}


@pytest.mark.torch
def test_a_run_that_is_cut_short_writes_no_checkpoint_and_leaves_no_worker(
    indexing: dict[str, Any],
) -> None:
    assert indexing["files"] == ["cost.svg", "order"]
    assert indexing["left"] == []
    assert indexing["result"]["notes"] == []  # no worker had to be ended from outside
    assert indexing["stderr"] == ""


@pytest.mark.torch
def test_the_runs_are_interleaved_and_off_is_there_twice_a_round(indexing: dict[str, Any]) -> None:
    once_each = Counter({variables_of(name): 1 for name in ON_CPU})
    a_round = once_each + Counter([variables_of("off")])
    order, of, both = (
        indexing["order"],
        a_round.total(),
        [variables_of("off"), variables_of("warn")],
    )
    looks, one, two, profiles = order[:2], order[2:][:of], order[2 + of :][:of], order[2 + 2 * of :]
    assert looks == both
    assert Counter(one) == Counter(two) == a_round
    # On a busy machine `warn` may seem to cost something: then its operators are looked for.
    assert profiles in ([], both)


def variables_of(name: str) -> str:
    """What the program writes of a run with this choice: nothing of the user's own is left."""
    own = dict(CHOICES[name].variables)
    if CHOICES[name].flags["TORCH_DETERMINISTIC_ALGORITHMS"] != "0":
        own["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # the hook exports it
    return " ".join(f"{variable}={own.get(variable)}" for variable in VARIABLES)


@pytest.mark.torch
def test_the_plot_is_an_svg_with_every_row(indexing: dict[str, Any]) -> None:
    document = ElementTree.fromstring(indexing["svg"])
    texts = [one.text or "" for one in document.iter("{http://www.w3.org/2000/svg}text")]
    assert set(ON_CPU) <= set(texts)
    assert sum(text.endswith("not identical") for text in texts) == 2  # off and fast
    assert sum(text.endswith(", identical") for text in texts) == len(ON_CPU) - 2


# Programs that do not do what is needed

ALERT = """
import torch
model = torch.nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(9):
    optimizer.zero_grad()
    model(torch.ones(4)).sum().backward()
    optimizer.step()
    torch.zeros(4).put_(torch.tensor([1]), torch.ones(1))
"""


@pytest.mark.torch
def test_a_level_at_which_the_program_fails_has_its_row_and_the_rest_goes_on(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "alert.py").write_text(ALERT)
    options = ("--steps", "5", "--warmup", "20", "--repeats", "2", "--only", "warn,strict")
    done = cost(python, tmp_path, *options, "--fail-above", "1e6", "--", python, "alert.py")
    assert done.returncode == 4, done.stderr  # what was not timed is within no limit
    *lines, empty, within, unknown = done.stdout.splitlines()
    assert empty == ""
    assert re.fullmatch(
        r"warn is within the limit of 1e\+06 times off: [\d.]+ times off, .*", within
    )
    assert unknown.startswith(
        "strict cannot be told against the limit of 1e+06 times off: not timed"
    )
    assert "strict: raises for put_, which has no deterministic version" in lines
    assert "warns: aten::put_ at alert.py:9 (cpu: no deterministic version)" in lines
    assert "the program makes 9 steps: the warm-up is 2, not 20" in lines
    assert "strict stops at put_, which has no deterministic version." in lines[-1]
    warn, strict = lines[5:7]
    assert re.fullmatch(r"warn +[\d.]+ ms .* yes, 2 of 2", warn)
    assert re.fullmatch(r"strict +- +[\d,]+ MiB", strict)


@pytest.mark.torch
def test_a_program_that_ends_before_its_steps_are_done_says_how_many_were_timed(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "short.py").write_text(ALERT)
    options = ("--steps", "50", "--warmup", "3", "--repeats", "2", "--only", "warn")
    done = cost(python, tmp_path, *options, "--fail-above", "1e-6", "--", python, "short.py")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert "off, warn: ends after 9 steps, of which 6 are timed" in lines
    assert lines[-1].startswith("warn is above the limit of 1e-06 times off: ")


LOCAL = """
import os, torch
def main():
    model = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (model(torch.ones(4)).sum() * os.urandom(1)[0]).backward()
        optimizer.step()
main()
"""


@pytest.mark.torch
def test_parameters_are_compared_that_are_gone_when_the_program_ends(
    python: Path, tmp_path: Path
) -> None:
    options = ("--warmup", "1", "--repeats", "2", "--only", "off", "--json")
    done = cost(python, tmp_path, *options, "--", python, "-c", LOCAL)
    result = json.loads(done.stdout)
    assert [row["identical"] for row in result["rows"]] == [False]
    assert result["limit"] is None


@pytest.mark.torch
def test_of_a_program_that_calls_no_optimizer_the_whole_run_is_timed(
    python: Path, tmp_path: Path
) -> None:
    options = ("--repeats", "2", "--only", "warn", "--json")
    program = "import torch; torch.ones(9).sum()"
    done = cost(python, tmp_path, *options, "--", python, "-c", program)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["timed"] == "whole run"
    for row in result["rows"]:
        assert row["step_seconds"] > 0.1  # importing torch takes longer
        assert row["identical"] is None
        assert row["problem"] == "no optimizer makes a step: the whole run is timed"


@pytest.mark.torch
def test_flags_that_the_program_sets_itself_are_named(python: Path, tmp_path: Path) -> None:
    (tmp_path / "flag.py").write_text(ALERT + "torch.backends.cudnn.benchmark = True\n")
    options = ("--warmup", "1", "--repeats", "2", "--only", "warn")
    done = cost(python, tmp_path, *options, "--", python, "flag.py")
    told = "the program itself sets CUDNN_BENCHMARK=1, whatever off, warn asks for"
    assert told in done.stdout.splitlines()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("program", "env", "said"),
    [
        ("import torch; raise SystemExit('no data')", {}, "fails under DETERMINISM=off: exit "),
        ("import torch; raise SystemExit(3)", {}, "DETERMINISM=off: exit status 3\n"),
        ("print(1)", {}, "cannot be measured: it does not import torch"),
        ("print(1)", {"SEED_INIT": "0"}, "SEED_INIT=0 switches the hook off"),
        (ALERT.replace("range(9)", "range(2)"), {}, "makes 2 optimizer steps, and at least 4 are"),
    ],
    ids=["fails", "fails-silently", "no-torch", "no-hook", "two-steps"],
)
def test_what_cannot_be_measured_is_one_line(
    python: Path, tmp_path: Path, program: str, env: dict[str, str], said: str
) -> None:
    done = cost(python, tmp_path, "--", python, "-c", program, **env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seed-init cost: the command ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.torch
@pytest.mark.parametrize("end", ["", "advice"])
def test_the_reason_of_a_failure_is_the_error_that_the_program_raised(
    python: Path, tmp_path: Path, end: str
) -> None:
    program = f"import sys, torch; sys.stderr.write('KeyError: x\\n{end}\\n'); sys.exit(1)"
    done = cost(python, tmp_path, "--", python, "-c", program)
    assert done.stderr.endswith("exit status 1: KeyError: x\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "warm"), "'warm' is no choice"),
        (("--only", ","), "',' names no choice"),
        (("--steps", "2"), "'2' is not a whole number from 3 on"),
        (("--fail-above", "0"), "'0' is no ratio; give a positive number, such as 1.25 for 25 %"),
        (("--fail-above", "10%"), "'10%' is no ratio"),
        (("--fail-above", "nan"), "'nan' is no ratio"),
        (("--only", "off", "--fail-above", "2"), "--fail-above needs a choice beside off"),
        (("--plot", "there.svg"), "there.svg is there already; give another FILE, or --force"),
        (("--plot", "nowhere/a.svg"), "there is no directory nowhere; make it first"),
        (("--", "no-such-command"), "no-such-command: no such command in PATH"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(
    python: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "there.svg").write_text("mine")
    rest = () if "--" in words else ("--", python, "-c", "open('ran', 'w')")
    done = cost(python, tmp_path, *words, *rest)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["there.svg"]
    assert (tmp_path / "there.svg").read_text() == "mine"


# The operators behind a cost

SLOWER = """
import torch
model = torch.nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
while True:
    a = torch.ones(300, 300)
    if torch.are_deterministic_algorithms_enabled():
        for _ in range(20):
            a = a @ a
    optimizer.zero_grad()
    model(torch.ones(4)).sum().backward()
    optimizer.step()
"""


@pytest.mark.torch
def test_the_profile_names_the_operator_that_takes_longer_under_warn(
    python: Path, tmp_path: Path
) -> None:
    request = measuring.Request(
        (str(python), "-c", SLOWER),
        steps=4,
        warmup=1,
        environment=environment_of(python, {"SEED": "7"}),
        cwd=tmp_path,
    )
    with measuring.Measurer(request) as measurer:
        measurer.profile("off")
        measurer.profile("warn")
        first, *_ = judging.growths(measurer.result)
    assert first.operator == "aten::mm"
    assert first.warn > first.off


# What the figures say


def sample(number: int, step: float, digest: str | None = "same", **changed: Any) -> Sample:
    """A run of a round whose steps all took `step` seconds."""
    made = Sample(
        round=number,
        seconds=(step, step, step),
        calls=60,
        whole=9.0,
        memory={"resident": 100, "allocated": None},
        digest=digest,
        clock="wall",
        flags={},
    )
    return replace(made, **changed)


def measurements(**steps: list[Sample]) -> Measurements:
    """Of levels, from the samples of their runs; of `off` every second one is the second."""
    made = Measurements(measuring.Request(("train",)), seed="7")
    for name, samples in steps.items():
        each = made.measured[name] = Measured(CHOICES[name])
        each.samples = samples[::2] if name == "off" else samples
        each.again = samples[1::2] if name == "off" else []
    return made


def judged(**steps: list[Sample]) -> Judgement:
    return judging.judge(measurements(**steps))


def off(*steps: float, digests: str = "same") -> list[Sample]:
    """The samples of `off`: two a round."""
    names = digests.split() * len(steps)
    return [sample(number // 2, step, names[number]) for number, step in enumerate(steps)]


def test_a_machine_that_becomes_slower_does_not_change_a_ratio() -> None:
    found = judged(off=off(1, 1, 2, 2, 4, 4), warn=[sample(n, 1.1 * 2**n) for n in range(3)])
    warn = found.row("warn")
    assert warn is not None
    assert warn.ratio == pytest.approx(1.1)
    assert warn.ratios == pytest.approx((1.1, 1.1))
    assert warn.step == pytest.approx(2.2)
    assert warn.spread == pytest.approx((1.1, 4.4))


def test_the_noise_is_what_two_equal_measurements_differ_by() -> None:
    assert judged(off=off(1.0, 1.02, 1.0, 1.04, 1.0, 1.03)).noise == pytest.approx(0.03)


def advice(*warn: float, same: str = "same", **options: Any) -> str:
    samples = [sample(n, step, same if n % 2 else "same") for n, step in enumerate(warn)]
    return judged(
        **{"off": off(1, 1, 1, 1, digests="a b"), "warn": samples, **options}
    ).recommendation


def test_a_cost_and_what_it_buys_are_one_sentence() -> None:
    assert advice(1.02, 1.02) == (
        "warn costs you 2 %, and your runs are identical; those of off are not."
    )


def test_a_cost_within_the_noise_is_none() -> None:
    noisy = off(1, 1.02, 1, 1.02, digests="a b")
    assert advice(1.02, 1.02, off=noisy).startswith(
        "warn costs nothing that shows (less than 2 %), and your runs are identical;"
    )


@pytest.mark.parametrize(
    ("first", "second", "of_off"), [(0.9, 1.2, (1, 1, 1, 1)), (1.1, 1.1, (1, 1.2, 1, 1.2))]
)
def test_a_cost_that_cannot_be_told_is_not_called_none(
    first: float, second: float, of_off: tuple[float, ...]
) -> None:
    said = advice(first, second, off=off(*of_off, digests="a b"))
    assert said.startswith("what warn costs cannot be told here (the rounds give ")
    assert "your runs are identical; those of off are not." in said


def test_a_level_that_is_faster_is_said_to_be() -> None:
    assert advice(0.5, 0.5).startswith("a step under warn takes 50 % less time than under off")


def test_bits_of_off_that_happen_to_agree_are_no_promise() -> None:
    assert "so are the 4 of off here, which is no promise" in advice(1, 1, off=off(1, 1, 1, 1))


def test_runs_that_differ_under_warn_lead_to_verify() -> None:
    said = advice(1.02, 1.02, same="other")
    assert "your runs are not identical. Something differs under warn as well: seed-init" in said


def test_runs_without_a_seed_are_told_to_have_one() -> None:
    made = measurements(off=off(1, 1, digests="a b"), warn=[sample(0, 1, "a"), sample(1, 1, "b")])
    made.seed = None
    assert judging.judge(made).recommendation.endswith("no run repeats another: set it.")


def test_the_cheapest_choice_with_identical_runs_is_named() -> None:
    switch = "CUDNN_DETERMINISTIC=1"
    said = advice(1.25, 1.25, **{switch: [sample(0, 1), sample(1, 1)]})
    assert f"{switch} takes 20 % less time than warn, and its runs are identical as well." in said


def test_the_switch_that_costs_most_is_named() -> None:
    switch = "TORCH_DETERMINISTIC_ALGORITHMS=warn"
    said = advice(1.3, 1.3, **{switch: [sample(0, 1.28), sample(1, 1.28)]})
    assert f"Most of it is {switch} (28 % alone)." in said


def test_slower_operators_are_those_whose_own_time_grew() -> None:
    made = measurements(off=off(1, 1), warn=[sample(0, 1)])

    def profile(**seconds: float) -> dict[str, dict[str, float]]:
        times = {"Optimizer.step#SGD.step": 0.5, **seconds}
        return {n: {"cpu": 1.0, "device": s, "calls": 10} for n, s in times.items()}

    made.profiles = {"off": profile(mm=1.0, add=1.0), "warn": profile(mm=1.01, add=2.0, new=0.5)}
    found = [(one.operator, one.off, one.warn) for one in judging.growths(made)]
    assert found == [("add", 0.1, 0.2), ("new", 0.0, 0.05)]


def test_runs_that_ended_too_early_are_not_compared() -> None:
    found = judged(off=off(1, 1), warn=[sample(0, 1, seconds=(), calls=2), sample(1, 1)])
    warn = found.row("warn")
    assert warn is not None
    assert warn.identical is None
    assert warn.problem == "ends after 2 steps, too few to be timed after 10 of warm-up"


def test_memory_is_the_devices_where_there_is_one() -> None:
    samples = [sample(0, 1, memory={"resident": 100, "allocated": used}) for used in (7, 9)]
    found = judged(off=off(1, 1), warn=samples)
    assert [row.memory for row in found.rows] == [100, 9]


# A limit


def held(ratio: float, *warn: float, name: str = "warn", **changed: Any) -> limit.Limit:
    """A limit of which only the given rounds of `warn` decide."""
    runs = [sample(n, step, **(changed if n == 0 else {})) for n, step in enumerate(warn)]
    found = judged(off=off(*[1.0] * 2 * len(warn)), warn=runs)
    return limit.held_to(found, ratio, (name,))


@pytest.mark.parametrize(
    ("ratio", "warn", "verdict"),
    [
        (1.1, (1.05, 1.05, 1.05), "within"),
        (1.05, (1.05, 1.05, 1.05), "within"),
        (1.1, (1.02, 1.03, 1.5), "within"),  # one noisy round fails no check
        (1.1, (1.2, 1.3, 1.11), "above"),
        (1.1, (1.2, 1.3, 1.0), "unproven"),
    ],
)
def test_a_cost_is_above_a_limit_only_if_every_round_is(
    ratio: float, warn: tuple[float, ...], verdict: str
) -> None:
    assert held(ratio, *warn).verdict == verdict


def test_a_limit_does_not_hold_for_what_was_not_timed() -> None:
    assert held(2.0, 1.0, name="strict").held[0].told == "not run (it was not measured)"
    failed = held(2.0, 1.0, 1.0, 1.0, failed="exit status 1")
    assert (failed.verdict, failed.held[0].told) == (
        "unproven",
        "not timed: fails in 1 of 3: exit status 1",
    )
    short = held(2.0, 1.0, seconds=(), calls=2)
    assert short.verdict == "unproven"
    assert short.held[0].told.startswith("not timed: ends after 2 steps")


def test_one_choice_above_the_limit_decides() -> None:
    found = limit.Limit(1.1, tuple(limit.Held(v, v, "") for v in ("within", "unproven", "above")))
    assert found.verdict == "above"
    assert limit.Limit(1.1, found.held[:2]).verdict == "unproven"
    assert found.to_json()["choices"]["within"] == {"verdict": "within", "told": ""}


def test_without_only_the_limit_is_for_warn() -> None:
    assert limit.names_of(None) == ("warn",)
    assert limit.names_of(("off", "strict", "fast")) == ("strict", "fast")


# The choices, and the picture


def test_a_choice_sets_only_what_the_contract_accepts() -> None:
    for choice in CHOICES.values():
        for name, value in choice.variables.items():
            accepted = startup.ACCEPTED[name] or startup.CUBLAS_DETERMINISTIC
            assert value in accepted, choice.name


def test_a_choice_takes_the_place_of_the_users_own() -> None:
    given = {"DETERMINISM": "strict", "CUDNN_BENCHMARK": "1", "SEED": "7", "PATH": "/bin"}
    made = CHOICES["CUDNN_ALLOW_TF32=0"].environment(given)
    assert made == {"SEED": "7", "PATH": "/bin", "DETERMINISM": "off", "CUDNN_ALLOW_TF32": "0"}


def test_what_a_hook_above_has_exported_is_no_choice_of_the_users() -> None:
    """Under off it would be measured as well."""
    theirs = {"PATH": "/bin", "FLASH_ATTENTION_DETERMINISTIC": "1", "NCCL_ALGO": "Ring"}
    hooks = {"MAMBA_DETERMINISTIC": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    given = {**theirs, **hooks, "SEED_INIT_EXPORTED": ",".join(hooks)}
    assert CHOICES["off"].environment(given) == {**theirs, "DETERMINISM": "off"}


def test_a_picture_has_the_command_as_text() -> None:
    made = measurements(off=off(1, 1), warn=[sample(0, 1, "a"), sample(1, 1.5, "b")])
    made.request = replace(made.request, command=("sh", "-c", 'a < b && echo "<svg>"'))
    document = ElementTree.fromstring(drawing.picture(judging.judge(made)))
    assert document.attrib["aria-label"].endswith('sh -c a < b && echo "<svg>"')


def test_the_command_needs_no_library(python: Path, tmp_path: Path) -> None:
    code = (
        "import sys, seed_init.cli.cost; "
        "print([m for m in ('numpy', 'torch', 'matplotlib', 'click') if m in sys.modules])"
    )
    done = run(python, "-c", code, env={"SEED_INIT": "0"}, cwd=tmp_path)
    assert done.stdout == "[]\n", done.stderr
    assert os.listdir(tmp_path) == []  # noqa: PTH208
