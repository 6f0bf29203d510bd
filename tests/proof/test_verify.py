"""`seed-init verify`: runs a command several times; the same, not the same, or it failed."""

import contextlib
import json
import os
import pty
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.interpreters import with_jupyter
from harness.processes import environment_of, run
from harness.sharing import once
from seed_init.proof import verify
from seed_init.proof.comparing import output_lines
from seed_init.proof.running import commands, conditions, workspace
from seed_init.proof.verifying import verifier
from seed_init.proof.verifying.runs import Request

from . import recorded
from .verified import PROGRAMS, by_command, by_function, conditions_of, told

NOISE = "import os; print(os.urandom(4).hex())"
"""Prints something else each time."""


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for temporary files of this test's own, with a name short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="verify-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


# A training that repeats


def repeated(python: str, place: str) -> dict[str, Any]:
    """Verify a module that trains the same each time, and keep all that is left of it."""
    directory = Path(place)
    directory.mkdir(exist_ok=True)
    program = (PROGRAMS / "verified_training.py").read_text()
    (directory / "training.py").write_text(program)
    before = {path.name for path in directory.iterdir()}
    options = ("--records", "records", "--file", "out/*.pt", "--")
    env: dict[str, str | None] = {"SEED_INIT_RECORD": f"{directory}/own.json"}
    done = by_command(Path(python), directory, *options, python, "-m", "training", env=env)
    return {
        "status": done.returncode,
        "stdout": done.stdout,
        "stderr": done.stderr,
        "new": sorted({path.name for path in directory.iterdir()} - before),
        "hooks": (directory / "hooks").read_text().splitlines(),
    }


@pytest.fixture
def place(kept: Path) -> Path:
    """Where the training that repeats was verified."""
    return kept / "repeated"


@pytest.fixture
def same(python: Path, kept: Path, place: Path) -> dict[str, Any]:
    return once(kept, repeated, str(python), str(place))


@pytest.mark.rotating(every=1)
@pytest.mark.torch
def test_a_training_that_repeats_is_identical_and_what_was_compared_is_counted(
    same: dict[str, Any], python: Path
) -> None:
    assert same["status"] == 0, same["stdout"] + same["stderr"]
    headline, *lines = same["stdout"].splitlines()
    assert headline == f"IDENTICAL: {python} -m training (SEED=7)"
    assert lines[-1] == (
        "compared: 4 steps; 4 tensors; generators numpy, random, torch; 4 lines of output, "
        "exit status; file out/model.pt"
    )


@pytest.mark.torch
def test_the_runs_are_the_base_one_without_hooks_and_one_with_all_perturbations(
    same: dict[str, Any],
) -> None:
    runs = re.findall(r"^  run (\d) +[\d.]+ s  (.*)$", same["stdout"], re.MULTILINE)
    everything = f"{', '.join(conditions.PERTURBATIONS)} changed"
    assert runs == [("1", "base"), ("2", "without training hooks"), ("3", everything)]
    # As the program itself saw it.
    assert same["hooks"] == ["True", "False", "True"]


@pytest.mark.torch
def test_nothing_is_told_on_stderr_that_is_no_terminal(same: dict[str, Any]) -> None:
    assert same["stderr"] == ""


@pytest.mark.torch
def test_the_working_directory_has_only_what_the_program_and_the_options_put_there(
    same: dict[str, Any], place: Path
) -> None:
    # No record of SEED_INIT_RECORD either: the runs are verify's, not the user's.
    assert [name for name in same["new"] if name != "__pycache__"] == ["hooks", "out", "records"]
    assert [path.name for path in (place / "out").iterdir()] == ["model.pt"]


@pytest.mark.torch
def test_the_record_of_each_observed_run_has_the_verdict_in_it(
    same: dict[str, Any], place: Path
) -> None:
    files = sorted((place / "records").iterdir())
    assert [file.name for file in files] == ["run-1.json", "run-3.json"]
    for file in files:
        record = recorded.valid(file)
        assert record["verdict"]["verdict"] == "identical"
        assert [row["arm"] for row in record["verdict"]["runs"]] == [
            "base",
            "without hooks",
            "perturbed",
        ]
        assert record["command"]["argv"][1:] == ["-m", "training"]
        assert record["exit"]["status"] == 0
        assert record["times"]["seconds"] > 0
        assert record["processes"][0]["steps"] == 4


@pytest.mark.torch
def test_report_takes_the_records(same: dict[str, Any], python: Path, place: Path) -> None:
    page = place.parent / "repeated.html"
    page.unlink(missing_ok=True)
    words = ("report", *sorted((place / "records").iterdir()), "-o", page)
    done = run(python, "-m", "seed_init", *words)
    assert done.returncode == 0, done.stderr
    assert "identical" in page.read_text().lower()


# A training that does not


@pytest.mark.rotating(every=1)
@pytest.mark.torch
def test_a_learning_rate_from_the_clock_is_told_with_step_operator_and_line(
    python: Path, tmp_path: Path
) -> None:
    program = PROGRAMS / "verified_training.py"
    done = by_command(python, tmp_path, "--no-perturb", "--", python, program, "clock")
    assert done.returncode == 1, done.stdout + done.stderr
    headline, *lines = done.stdout.splitlines()
    assert headline == f"DIFFERENT: {python} {program} clock (SEED=7)"
    [first] = [line for line in lines if line.startswith("first observed at step 2: ")]
    number = program.read_text().splitlines().index("    optimizer.step()  # HERE") + 1
    assert f"  line: {program}:{number}: optimizer.step()  # HERE" in lines
    operator = next(line for line in lines if line.startswith("  operator: "))
    assert operator.removeprefix("  operator: ").startswith("aten::")
    assert operator.removeprefix("  operator: ") in first
    causes = [line for line in lines if line.startswith("  may be: ")]
    assert causes[0].startswith("  may be: a value from outside PyTorch: the clock")
    assert "caused by" not in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("out", "hooks")] == []


@pytest.mark.torch
def test_a_difference_on_rank_1_names_rank_1(python: Path, tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1")
    words = (*launcher, "--nproc-per-node=2", PROGRAMS / "verified_ranks.py")
    options = ("--json", "--no-perturb", "--no-locate", "--", python)
    env: dict[str, str | None] = {"GLOO_SOCKET_IFNAME": "lo"}
    result = told(by_command(python, tmp_path, *options, *words, env=env))
    difference = result["difference"]
    assert (difference["rank"], difference["step"], difference["level"]) == (1, 1, "loss")
    assert difference["first_observed"].startswith("first observed at step 1, rank 1: ")
    assert (result["compared"]["ranks"], result["compared"]["steps"]) == (2, 3)


# The command itself


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no command is given; put it after --"),
        (("--",), "no command is given; put it after --"),
        (("--", "no-such-program"), "no-such-program: no such command in PATH"),
        (("--", "./absent.sh"), "./absent.sh: there is no such file in"),
        (("--ignore-output", "(", "--", "true"), "'('"),
        (("--runs", "1", "--", "true"), "'1' is not a whole number from 2 on"),
        (("--timeout", "0", "--", "true"), "'0' is not a positive number of seconds"),
        (("--stdin", "absent", "--", "true"), "absent"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    python: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    for option in ((), ("--json",)):
        done = by_command(python, tmp_path, *option, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("seed-init verify: ")
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_is_run_once_and_its_last_line_on_stderr_is_told(
    python: Path, tmp_path: Path
) -> None:
    script = "echo one >&2; echo 'no such data' >&2; echo >&2; exit 3"
    done = by_command(python, tmp_path, "--", "sh", "-c", script)
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == (
        "FAILED: the command failed: exit status 3; its last line on stderr: no such data"
    )
    assert done.stdout.count("  run ") == 1
    assert told(by_command(python, tmp_path, "--json", "--", "sh", "-c", script))["reason"] == (
        "the command failed: exit status 3; its last line on stderr: no such data"
    )


def test_a_run_that_takes_longer_than_the_timeout_is_a_failure(
    python: Path, tmp_path: Path
) -> None:
    result = told(by_command(python, tmp_path, "--json", "--timeout", "0.3", "--", "sleep", "60"))
    assert (result["verdict"], len(result["runs"])) == ("failed", 1)
    told_so = "it took longer than --timeout (0.3 s), and was ended"
    assert result["reason"] == f"the command failed: {told_so}"
    assert result["not_compared"] == [
        f"training steps and generators: no Python of this command had written any: {told_so}"
    ]


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("kill -KILL $$", "it was killed by signal 9 (SIGKILL, as the kernel does where memory"),
        ("kill -SEGV $$", "it was killed by signal 11 (SIGSEGV)"),
        ("sh -c 'kill -KILL $$'; exit $?", "exit status 137, which is a shell's word for a"),
    ],
)
def test_a_command_that_was_killed_is_told_so_and_not_to_install_the_hook(
    python: Path, tmp_path: Path, script: str, how: str
) -> None:
    result = told(by_command(python, tmp_path, "--json", "--", "sh", "-c", script))
    assert result["reason"].startswith(f"the command failed: {how}")
    [line] = result["not_compared"]
    assert line.startswith("training steps and generators: no Python of this command had written")
    assert how in line
    assert "install" not in line


def test_a_status_of_124_of_the_commands_own_is_no_timeout(python: Path, tmp_path: Path) -> None:
    result = told(by_command(python, tmp_path, "--json", "--", "sh", "-c", "exit 124"))
    assert result["reason"] == "the command failed: exit status 124"


def test_a_command_that_fails_in_some_runs_only_is_a_difference(
    tmp_path: Path, python: Path
) -> None:
    code = "import os; exit(3 if os.path.exists('there') else open('there', 'w').close())"
    result = by_function(python, tmp_path, "-c", code, perturb=False)
    assert (result.verdict, result.identical) == ("different", False)
    assert result.difference is not None
    assert (result.difference.level, result.difference.values) == ("status", [0, 3])
    assert "the exit status is 0 and 3" in result.difference.first_observed
    # And what may be why.
    assert any(
        "found there, written by run 1: if it was read" in line for line in result.difference.trail
    )


def test_what_follows_the_dashes_is_the_commands_own(python: Path, tmp_path: Path) -> None:
    words = ("--json", "--", "sh", "-c", 'test "$*" = "--runs 1 -- --json"', "sh")
    assert told(by_command(python, tmp_path, *words, "--runs", "1", "--", "--json"))["seed"] == "7"


@pytest.mark.slow
def test_a_shell_pipeline_is_a_command(python: Path, tmp_path: Path) -> None:
    code = "import random; print(random.random())"
    result = told(
        by_command(python, tmp_path, "--json", "--", "sh", "-c", f"{python} -c '{code}' | tr . ,")
    )
    assert result["verdict"] == "identical"
    assert result["compared"]["generators"] == ["random"]
    assert result["compared"]["stdout_lines"] == 1


def test_a_command_without_any_python_is_compared_and_what_is_missing_told(
    python: Path, tmp_path: Path
) -> None:
    done = by_command(python, tmp_path, "--", "echo", "text")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == [
        "compared: 1 line of output, exit status",
        "not compared: training steps and generators: no Python of this command ran the hook; "
        "run 'seed-init install' with it (one that ends by os._exit or exec before its first step "
        "writes nothing either)",
    ]


KILLED_WITH_STEPS_ON_A_DEVICE = """
import os, signal
from seed_init.proof.observer.core import journal
if not os.fork():
    table = {"optimizer": 0, "kind": "parameters", "names": ["weight"]}
    journal.write("tensors", **table, shapes=[[1]], dtypes=["float32"])
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
"""
"""What is left of a training on a device that is killed before a batch of steps has arrived."""


def test_names_alone_of_a_process_that_was_killed_are_no_evidence(
    python: Path, tmp_path: Path
) -> None:
    code = KILLED_WITH_STEPS_ON_A_DEVICE
    done = by_command(python, tmp_path, "--json", "--", python, "-c", code)
    found = json.loads(done.stdout)
    assert (found["verdict"], done.returncode) == ("unproven", 4), done.stdout
    assert found["compared"]["tensors"] == 0
    assert "how a process that trained has ended" in found["not_compared"][0]


@pytest.mark.slow
def test_a_notebook_is_executed_and_its_output_compared(python: Path, tmp_path: Path) -> None:
    notebook = tmp_path / "noise.ipynb"
    path = f"{with_jupyter(python, tmp_path / 'bin')}:/usr/bin:/bin"
    results = []
    for code in ("import random; print(random.random())", NOISE):
        cell = {"cell_type": "code", "metadata": {}, "source": code, "outputs": []}
        content = {"cells": [{**cell, "execution_count": 0}], "metadata": {}}
        notebook.write_text(json.dumps({**content, "nbformat": 4, "nbformat_minor": 4}))
        before = notebook.read_bytes()
        options = ("--json", "--no-perturb", "--no-locate", "--", "noise.ipynb")
        results.append(told(by_command(python, tmp_path, *options, env={"PATH": path})))
        assert notebook.read_bytes() == before
    assert [result["verdict"] for result in results] == ["identical", "different"], results[0]
    # A heading of the cell, and what it has printed.
    assert results[0]["compared"]["stdout_lines"] == 2
    assert results[1]["difference"]["level"] == "output"
    assert any("jupyter execute" in line for line in results[0]["not_compared"])


def test_every_run_reads_the_file_of_stdin_from_its_beginning(python: Path, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("one\ntwo\n")
    command = ("sh", "-c", "cat; echo end")
    for options, lines in ((("--stdin", "given"), 3), ((), 1)):
        result = told(by_command(python, tmp_path, "--json", *options, "--", *command))
        assert (result["verdict"], result["compared"]["stdout_lines"]) == ("identical", lines)


@pytest.mark.slow
def test_runs_of_which_nothing_was_seen_are_not_the_same(python: Path, tmp_path: Path) -> None:
    # With no hook in it, this might be a Python that trains and writes its weights.
    (tmp_path / "silent.sh").write_text("head -c 8 /dev/urandom > weights; echo same > log\n")
    for options, verdict in (((), "unproven"), (("--file", "log"), "identical")):
        done = by_command(python, tmp_path, "--json", *options, "--", "sh", "silent.sh")
        result = told(done)
        assert (done.returncode, result["verdict"]) == (4 if not options else 0, verdict)
    silent = by_command(python, tmp_path, "--ignore-output", "", "--", "echo", "unlike")
    assert silent.returncode == 4
    assert "nothing was seen of the command but its exit status" in silent.stdout


# What failed of what looks


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))"
"""Every file is too large from here on, as on a full disk; pipes are none."""


@pytest.mark.slow
def test_where_nothing_differs_but_an_instrument_failed_nothing_is_proven(
    python: Path, tmp_path: Path
) -> None:
    words = ("--no-perturb", "--records", "records", "--", python, "-c", f"{FULL}; print('done')")
    done = by_command(python, tmp_path, *words)
    assert done.returncode == 4, done.stdout + done.stderr
    headline, *lines = done.stdout.splitlines()
    assert headline.startswith("UNPROVEN: ")
    assert "nothing that was seen differs, but not everything was seen" in headline
    failed = [line for line in lines if line.startswith("failed: the trace of process ")]
    assert [line.rpartition(", in ")[2] for line in failed] == ["run 1", "run 2", "run 3"]

    records = sorted((tmp_path / "records").iterdir())
    verdict = recorded.valid(records[0])["verdict"]
    assert verdict["verdict"] == "unproven"
    assert [failure["runs"] for failure in verdict["failures"]] == [["run 1"], ["run 2"], ["run 3"]]
    for given in (records[:1], records):
        page = run(
            python, "-m", "seed_init", "report", *given, "-o", "page", "--force", cwd=tmp_path
        )
        assert page.returncode == 0, page.stderr
        text = (tmp_path / "page").read_text()
        assert "identical" not in re.sub("<style>.*</style>", "", text, flags=re.DOTALL).lower()
        assert "failed: the trace of process " in text or len(given) > 1
    result = by_function(python, tmp_path, "-c", FULL, perturb=False)
    assert (result.verdict, result.identical) == ("unproven", False)
    assert result.failures[0].runs == ["run 1"]
    assert result.not_compared[0] == (
        "training steps and generators: what was written of them is lost"
    )


@pytest.mark.torch
def test_what_one_run_did_not_see_is_no_difference_and_what_could_not_be_read_is_named(
    python: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, torch\n"
        "runs = open('runs', 'a'); runs.write('x'); runs.close()\n"
        "net = torch.nn.Linear(2, 2)\n"
        "mask = torch.masked.masked_tensor(torch.ones(2), torch.ones(2) > 0)\n"
        "net.register_buffer('mask', mask)\n"
        "sgd = torch.optim.SGD(net.parameters(), 0.1)\n"
        "for n in range(3):\n"
        "    net(torch.randn(2)).sum().backward()\n"
        "    sgd.step()\n"
        "    if n == 1 and os.path.getsize('runs') == 3:\n"
        f"        {FULL}\n"
    )
    options = {"perturb": False, "env": {"OMP_NUM_THREADS": "1"}}
    result = by_function(python, tmp_path, program, **options)
    assert result.verdict == "unproven", result.difference
    reading, lost = result.failures
    assert reading.what.startswith("reading a MaskedTensor (torch.float32, torch.strided, cpu)")
    assert "(dense.py, line " in reading.what
    assert reading.runs == ["run 1", "run 3"]
    assert lost.runs == ["run 3"]
    assert result.compared["steps"] == 3


# What must not matter


def needed(name: str) -> Any:
    fixed = pytest.mark.skipif(
        not conditions.can_fix_layout(), reason="address randomisation cannot be switched off here"
    )
    return pytest.param(name, marks=fixed if name == conditions.LAYOUT else ())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*map(needed, conditions.PERTURBATIONS), "several perturbations together"]
)
def test_the_perturbation_that_broke_equality_is_named(
    python: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "data").mkdir()
    for entry in ("one", "two", "three", "four", "five"):
        (tmp_path / "data" / entry).touch()
    words = (PROGRAMS / "perturbed.py", name)
    # Without hooks objects lie elsewhere, which would be seen before the perturbation.
    result = by_function(python, tmp_path, *words, locate=False)
    assert (result.verdict, result.broke_equality) == ("different", name)
    assert result.difference is not None
    assert result.difference.level == "output"
    if name in conditions.PERTURBATIONS:
        # Only what is changed in that run is what broke it.
        assert result.difference.runs[0] == "run 1"
        assert result.runs[-1].changed == (name,)
        assert len(result.difference.remedies) == 1
    plain = by_function(python, tmp_path, *words, perturb=False)
    assert plain.identical or name == conditions.LAYOUT
    assert "nothing was changed between the runs (--no-perturb)" in plain.not_compared[-1]


def test_each_run_after_the_first_is_perturbed_in_another_way(python: Path, tmp_path: Path) -> None:
    code = "import os; open('seeds', 'a').write(os.environ['PYTHONHASHSEED'] + ' ')"
    result = by_function(python, tmp_path, "-c", code, runs=3)
    assert conditions_of(result) == ["base", "without hooks", "perturbed", "perturbed 2"]
    assert (tmp_path / "seeds").read_text() == "0 0 1 2 "
    plain = by_function(python, tmp_path, "-c", code, runs=3, perturb=False)
    assert conditions_of(plain) == ["base", "without hooks", "base", "base"]


def test_a_program_that_plain_repetition_changes_blames_no_perturbation(
    python: Path, tmp_path: Path
) -> None:
    result = by_function(python, tmp_path, "-c", NOISE, locate=False)
    assert (result.verdict, result.broke_equality) == ("different", None)
    assert conditions_of(result) == ["base", "without hooks", "base"]


def test_what_was_seen_in_one_run_only_is_told_to_be_so(python: Path, tmp_path: Path) -> None:
    code = "open('runs', 'a').write('x'); print(len(open('runs').read()) == 3)"
    result = by_function(python, tmp_path, "-c", code, locate=False)
    assert (result.verdict, result.broke_equality) == ("different", None)
    assert result.difference is not None
    assert any(line.startswith("seen in one of ") for line in result.difference.trail)


def test_a_program_that_the_observer_changes_is_told_to_be_a_defect_of_ours(
    python: Path, tmp_path: Path
) -> None:
    code = "import os; print('steps' in open(os.environ['SEED_INIT_TRACE'] + '/plan.json').read())"
    result = by_function(python, tmp_path, "-c", code)
    assert result.verdict == "different"
    assert result.difference is not None
    assert "the observer changes this program" in result.difference.first_observed
    # The run without hooks is repeated before that is said.
    assert conditions_of(result).count("without hooks") == 2


# What is compared


def test_lines_of_output_can_be_left_out(python: Path, tmp_path: Path) -> None:
    code = "import time; print('loss 1'); print('took', time.perf_counter(), 's')"
    words = ("--no-perturb", "--json", "--", python, "-c", code)
    different = told(by_command(python, tmp_path, *words))
    assert different["difference"]["level"] == "output"
    assert "line 2" in different["difference"]["first_observed"]
    assert "--ignore-output" in different["difference"]["remedies"][-1]["remedy"]
    ignoring = ("--ignore-output", "^nothing", "--ignore-output", r"^took .* s$")
    same = told(by_command(python, tmp_path, *ignoring, *words))
    assert (same["verdict"], same["compared"]["stdout_lines"]) == ("identical", 1)


def test_archives_are_compared_by_their_arrays_and_not_by_their_dates(
    python: Path, tmp_path: Path
) -> None:
    program, options = PROGRAMS / "verified_arrays.py", {"perturb": False, "locate": False}
    same = by_function(python, tmp_path, program, files=["*.npz", "*.none"], **options)
    assert same.identical, same.difference
    assert same.compared["files"] == ["arrays.npz"]
    assert "files: none matches *.none" in same.not_compared
    other = by_function(python, tmp_path, program, "changed", files=["*.npz"], **options)
    assert other.difference is not None
    assert (other.difference.level, other.difference.tensor) == ("file", "bias")
    assert "arrays.npz" in other.difference.text
    # Nobody asked for the file to be compared.
    assert by_function(python, tmp_path, program, "changed", **options).identical


@pytest.mark.torch
def test_a_changed_tensor_in_a_checkpoint_is_named(python: Path, tmp_path: Path) -> None:
    code = (
        "import os, torch; torch.save({'step': 3, 'model': {'a': torch.zeros(2), "
        "'b': torch.tensor(list(os.urandom(8)))}}, 'model.pt')"
    )
    options = {"perturb": False, "locate": False, "files": ["model.pt"]}
    result = by_function(python, tmp_path, "-c", code, **options, env={"OMP_NUM_THREADS": "1"})
    assert result.difference is not None
    assert (result.difference.level, result.difference.tensor) == ("file", "model.b")


# Where nothing but the output shows a difference


def test_the_first_seed_that_differs_is_named_with_its_line(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import random, time\n"
        "print(random.Random(3).random())\n"
        "rng = random.Random(time.time_ns())\n"
        "print(rng.random())\n"
        "print(random.Random(time.time_ns()).random())\n"
    )
    result = by_function(python, tmp_path, program, perturb=False)
    found = result.difference
    assert found is not None
    assert (found.level, found.generator) == ("seed", "random")
    assert found.source is not None
    assert (found.source.line, found.source.text) == (3, "rng = random.Random(time.time_ns())")
    assert found.values is not None
    assert all(str(value) in found.text for value in found.values)
    assert found.first_observed.startswith("first observed: the seed that random.Random gets is ")
    assert "line 2" in found.trail[0]  # of the output, as it was seen first
    assert found.remedies[0]["cause"].startswith("code seeds a generator with what is not the same")


def test_a_result_that_differs_is_not_advised_to_be_left_out(python: Path, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    code = f"import numpy.random, zmq; {NOISE}"
    done = by_command(python, tmp_path, "--no-perturb", "--", python, "-c", code)
    lines = done.stdout.splitlines()
    assert "  level: output" in lines
    assert "of that step" not in done.stdout
    assert any(
        line.startswith("  seen: in 2 reruns a closer look at seeds, draws and operators saw noth")
        for line in lines
    )
    assert (
        "  seen: compiled packages that were imported, and whose generators nobody sees: zmq"
        in (lines)
    )
    causes = [line for line in lines if line.startswith("  may be: ")]
    assert causes[0].startswith("  may be: a generator inside a compiled library")
    assert causes[1].startswith("  may be: threads or processes")
    assert "    then: only where such a line shows no result: leave it out with" in done.stdout


# The seed


@pytest.mark.parametrize("seed", [None, "off"])
def test_where_nothing_is_seeded_that_is_the_first_remedy(
    python: Path, tmp_path: Path, seed: str | None
) -> None:
    words = ("--no-perturb", "--", python, "-c", "import random; print(random.random())")
    done = by_command(python, tmp_path, *words, env={"SEED": seed})
    assert done.returncode == 1
    causes = [line for line in done.stdout.splitlines() if line.startswith("  may be: ")]
    assert causes[0] == "  may be: nothing is seeded: SEED is not set, or off"
    assert "    then: SEED=7 seed-init verify -- CMD" in done.stdout
    # A program whose runs agree needs no seed.
    same = told(by_command(python, tmp_path, "--json", "--", "pwd", env={"SEED": seed}))
    assert (same["verdict"], same["seed"]) == ("identical", seed)


def test_one_random_seed_is_drawn_for_all_runs(python: Path, tmp_path: Path) -> None:
    code = "import random; open('drawn', 'a').write(f'{random.random()}\\n')"
    words = ("--json", "--", python, "-c", code)
    seeds = []
    for _ in range(2):
        result = told(by_command(python, tmp_path, *words, env={"SEED": "random"}))
        assert result["verdict"] == "identical"
        seeds.append(int(result["seed"]))
    drawn = (tmp_path / "drawn").read_text().splitlines()
    assert drawn[:3] == [drawn[0]] * 3
    assert drawn[3:] == [drawn[3]] * 3
    assert (drawn[0] != drawn[3], seeds[0] != seeds[1]) == (True, True)


def test_one_random_seed_is_drawn_where_the_caller_has_no_hook_too(
    python: Path, tmp_path: Path
) -> None:
    code = "import random; print(random.random())"
    result = by_function(python, tmp_path, "-c", code, env={"SEED": "random"}, locate=False)
    assert result.identical, result.difference


# The terminal


def test_a_terminal_has_a_line_of_progress_that_is_gone_at_the_end(
    python: Path, tmp_path: Path, temporary: Path
) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [
            *(python, "-m", "seed_init", "verify", "--no-perturb", "--json"),
            *("--", "sh", "-c", "sleep 0.5; echo done"),
        ],
        env=environment_of(python, {"SEED": "7", "COLUMNS": "60"}),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert told(done)["verdict"] == "identical"
    assert re.search(r"\r\x1b\[2K[|/\\-] run 1 of 3 \(base\), \d+ s", shown)
    assert re.search(r"run 2 of 3 \(without hooks\), \d+ s", shown)
    assert shown.endswith("\r\x1b[2K")
    assert "\n" not in shown


# As a function


def test_the_function_gives_what_the_command_prints(python: Path, tmp_path: Path) -> None:
    code = "import random; print(random.random())"
    printed = told(by_command(python, tmp_path, "--json", "--", python, "-c", code))
    result = by_function(python, tmp_path, "-c", code)
    assert result.identical
    assert result.difference is None
    given = result.to_json()
    for each in (printed, given):
        for row in each["runs"]:
            assert row.pop("seconds") > 0
    assert given == printed


def test_the_function_raises_where_there_is_nothing_to_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="runs=1 compares nothing"):
        verify(["true"], runs=1)
    with pytest.raises(commands.CannotStart, match="no-such-program"):
        verify(["no-such-program"])
    with pytest.raises(output_lines.BadPattern):
        verify(["true"], ignore_output=["("])


def test_the_runs_are_at_one_path_though_another_command_ends_in_between(tmp_path: Path) -> None:
    other = contextlib.ExitStack()
    other.enter_context(other.enter_context(workspace.RunDirectory()).emptied())
    command = ("sh", "-c", "echo ${TMPDIR%/*}; sleep 0.6")
    request = Request(command, runs=2, perturb=False, cwd=tmp_path)
    result = verifier.verify(request, progress=lambda _: other.close())
    assert result.identical, result.difference


def test_nothing_is_left_in_the_temporary_directory(
    python: Path, tmp_path: Path, temporary: Path
) -> None:
    by_function(python, tmp_path, "-c", NOISE)
    by_command(python, tmp_path, "--", python, "-c", NOISE)
    assert list(temporary.iterdir()) == []
