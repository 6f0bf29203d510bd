"""`seed-init status`, `seed-init doctor` and the command itself."""

import json
from pathlib import Path

import pytest

from harness.processes import Completed, output, run
from seed_init.cli import SUBCOMMANDS


def command(python: Path, *words: str, **env: str) -> Completed:
    return run(python, "-m", "seed_init", *words, env=env)


def test_status_shows_each_setting_with_its_origin(python: Path) -> None:
    done = command(python, "status", SEED="7", DETERMINISM="strict")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["SEED", "7", "environment"] in rows
    assert ["SEED_INIT_LOG", "info", "built-in"] in rows
    assert ["CUBLAS_WORKSPACE_CONFIG", ":4096:8", "DETERMINISM=strict"] in rows
    assert ["TORCH_DETERMINISTIC_ALGORITHMS", "1", "DETERMINISM=strict"] in rows
    assert "not covered" not in done.stdout


def test_status_as_json_is_what_the_function_returns(python: Path) -> None:
    done = command(python, "status", "--json", SEED="7")
    state = json.loads(done.stdout)
    assert (state["seed"], state["hook"], state["not_covered"]) == (7, "active", [])
    assert {"name": "SEED", "value": "7", "origin": "environment"} in state["settings"]


def test_status_names_a_missing_hash_seed(python: Path) -> None:
    done = run(python, "-m", "seed_init", "status", env={"SEED": "7", "PYTHONHASHSEED": None})
    assert "PYTHONHASHSEED is not in effect" in done.stdout


def test_status_shows_where_the_trace_and_the_record_go(python: Path, tmp_path: Path) -> None:
    trace, record = str(tmp_path / "trace"), str(tmp_path / "record.json")
    done = command(python, "status", SEED="7", SEED_INIT_RECORD=record, SEED_INIT_TRACE=trace)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["SEED_INIT_RECORD", record, "environment"] in rows
    assert ["SEED_INIT_TRACE", trace, "environment"] in rows
    assert "not covered" not in done.stdout
    # The command is no part of any run.
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("env", "hook"), [({}, "idle"), ({"SEED_INIT": "0"}, "off"), ({"SEED": "off"}, "active")]
)
def test_status_says_whether_the_hook_works(python: Path, env: dict[str, str], hook: str) -> None:
    assert json.loads(command(python, "status", "--json", **env).stdout)["hook"] == hook


def test_status_by_the_path_of_the_package_knows_that_the_hook_has_run(python: Path) -> None:
    where = "import seed_init.hook; print(seed_init.__path__[0])"
    package = output(python, "-c", where, env={"SEED": "7"})
    done = run(python, package, "status", "--json", env={"SEED": "7"})
    assert json.loads(done.stdout)["hook"] == "active"


def test_status_without_the_hook_says_that_it_did_not_run(python: Path) -> None:
    done = run(python, "-S", "-m", "seed_init", "status", env={"SEED": "7"})
    assert "not active" in done.stdout and "run 'seed-init install'" in done.stdout


def test_doctor_fails_without_a_gpu(python: Path) -> None:
    done = command(python, "doctor", "--json", SEED="7")
    answer = json.loads(done.stdout)
    gpu = next(f for f in answer["findings"] if f["check"] == "gpu")
    assert done.returncode == (0 if answer["ok"] else 1)
    if gpu["result"] == "ok":
        pytest.skip("this machine has a GPU")
    assert done.returncode == 1 and gpu["result"] == "FAIL" and gpu["detail"]


def test_doctor_fails_where_the_hook_did_not_run_but_not_for_a_gpu_that_nobody_wants(
    python: Path,
) -> None:
    """With -S there are no packages: the process that asks torch has as few as the doctor."""
    done = run(python, "-S", "-m", "seed_init", "doctor", "--cpu", "--json", env={"SEED": "7"})
    found = {each["check"]: each["result"] for each in json.loads(done.stdout)["findings"]}
    assert (done.returncode, found["hook"], found["gpu"]) == (1, "FAIL", "note")


@pytest.mark.parametrize("words", [(), ("nonsense",), ("status", "--nonsense"), ("install", "x")])
def test_bad_usage_is_one_line_and_status_2(python: Path, words: tuple[str, ...]) -> None:
    done = command(python, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    # The help that has the options of the command that was meant.
    known = [*words[:1]] if words[:1] != ("nonsense",) else []
    assert done.stderr.endswith(f"see {' '.join(['seed-init', *known])} --help\n")


def test_an_output_that_cannot_be_written_is_one_line(python: Path) -> None:
    command = f"exec '{python}' -m seed_init status > /dev/full"
    library = {"LD_LIBRARY_PATH": str(python.parent.parent / "lib")}
    done = run("/bin/sh", "-c", command, env=library)
    line = "seed-init: cannot write the output: No space left on device\n"
    assert (done.stderr, done.returncode) == (line, 1)


def test_a_closed_output_is_no_error(python: Path) -> None:
    command = f"exec '{python}' -m seed_init status >&-"
    library = {"LD_LIBRARY_PATH": str(python.parent.parent / "lib")}
    done = run("/bin/sh", "-c", command, env=library)
    assert (done.stderr, done.returncode) == ("", 0)


def test_doctor_names_a_torch_that_cannot_be_loaded(python: Path, tmp_path: Path) -> None:
    """A missing shared library is an OSError (torch/__init__.py, _load_global_deps)."""
    error = "libcurand.so.10: cannot open shared object file"
    (tmp_path / "torch.py").write_text(f"raise OSError({error!r})")
    code = """
from seed_init.cli import doctor
from seed_init.cli.gpu.asking import ask
tag = {"torch": "2.6.0", "cuda": "11.8", "cudnn": "9"}
(finding,) = doctor.check_versions(tag, ask())
print(finding.result, finding.detail)
"""
    assert output(python, "-c", code, env={"PYTHONPATH": str(tmp_path)}) == (
        f"FAIL cannot be imported ({error}); the tag says 2.6.0"
    )


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "status", "install --help", "uninstall --help", "doctor --help"],
)
def test_a_command_that_proves_nothing_loads_nothing_of_the_proof(python: Path, words: str) -> None:
    """Every image build runs `install`, and every user `status`: both have to start quickly."""
    code = f"""
import contextlib, io, sys
from seed_init.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main({words.split()})
print([name for name in sys.modules if name.startswith(("seed_init.proof", "seed_init.notebook"))])
"""
    assert output(python, "-c", code, env={"SEED": "7"}) == "[]"


def test_the_help_names_every_subcommand(python: Path) -> None:
    shown = command(python, "--help").stdout
    for name in SUBCOMMANDS:
        assert f"\n    {name}" in shown


def test_a_closed_pipe_is_no_error(python: Path) -> None:
    done = run("/bin/sh", "-c", f"SEED=7 {python} -m seed_init status --json | head -c 1")
    assert (done.stdout, done.stderr) == ("{", "")
