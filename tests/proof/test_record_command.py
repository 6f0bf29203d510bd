"""`seed-init record`: the command runs as it would by itself, and its record is written."""

import json
import os
import signal
from pathlib import Path

import pytest

from harness.processes import in_a_directory_that_is_gone, run
from seed_init.proof.trace import records

from . import recorded


def test_the_command_runs_as_by_itself_and_its_record_is_named_on_stderr(
    python: Path, tmp_path: Path
) -> None:
    file = tmp_path / "record.json"
    code = "import sys; print(sys.stdin.read()); print('err', file=sys.stderr); sys.exit(3)"
    done = recorded.by_command(python, file, python, "-c", code, stdin="given")
    assert (done.returncode, done.stdout) == (3, "given\n")
    assert done.stderr == f"err\nseed-init record: {file}\n"
    record = recorded.valid(file)
    assert record["exit"] == {"status": 3, "how": "exit", "raised": None}
    assert record["command"]["argv"] == [str(python), "-c", code]
    assert record["recorder"]["asked_by"] == "command"
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_options_after_the_dashes_are_the_commands_own(python: Path, tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[1:])"
    words = ("--json", "-o", "x", "--", "--force")
    done = recorded.by_command(python, tmp_path / "r.json", python, "-c", code, *words)
    assert done.stdout == f"{list(words)}\n"


def test_without_a_name_the_record_is_named_by_the_time_in_utc(
    python: Path, tmp_path: Path
) -> None:
    words = ("-m", "seed_init", "record", "--", "true")
    done = run(python, *words, cwd=tmp_path, env={"SEED": "7"})
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("seed-init-record-????????T??????Z.json")
    recorded.valid(file)


def test_json_is_one_object_after_what_the_command_printed(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    words = ("-m", "seed_init", "record", "--json", "-o", file, "--", "sh", "-c", "echo x; exit 4")
    done = run(python, *words)
    printed = done.stdout.splitlines()
    assert printed[0] == "x"
    assert json.loads(printed[1]) == {"record": str(file), "status": 4}
    assert len(printed) == 2


def test_the_environment_of_the_command_is_the_users(python: Path, tmp_path: Path) -> None:
    env = {"SEED": "7", "LANG": None, "SEED_INIT_RECORD": str(tmp_path / "other.json")}
    words = ("-m", "seed_init", "record", "-o", tmp_path / "r.json", "--", "env")
    plain = set(run("env", env={**env, "LD_LIBRARY_PATH": None}).stdout.splitlines())
    done = run(python, *words, env=env)
    assert done.returncode == 0, done.stderr
    added = {line.partition("=")[0] for line in set(done.stdout.splitlines()) - plain}
    gone = plain - set(done.stdout.splitlines())
    # The hook exports cuBLAS's workspace, as in every Python process, and says that it has.
    exported = {"CUBLAS_WORKSPACE_CONFIG", "SEED_INIT_EXPORTED"}
    assert added - exported - {"LD_LIBRARY_PATH", "_"} == {"SEED_INIT_TRACE", "SEED_INIT_RECORDER"}
    assert gone == set()
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize("name", ["TERM", "KILL", "USR1"])
def test_a_signal_that_ends_the_command_is_128_and_its_number(
    python: Path, tmp_path: Path, name: str
) -> None:
    number = getattr(signal, f"SIG{name}")
    done = recorded.by_command(python, tmp_path / "r.json", "sh", "-c", f"kill -{name} $$")
    assert done.returncode == 128 + number
    record = recorded.valid(tmp_path / "r.json")
    assert record["exit"] == {"status": 128 + number, "how": "signal", "raised": None}


@pytest.mark.torch
def test_sigterm_goes_to_the_command_and_the_record_is_written(
    python: Path, tmp_path: Path
) -> None:
    program = recorded.training(tmp_path)
    words = ("-m", "seed_init", "record", "-o", "r.json", "--", python, program, "-1")
    process = recorded.started(python, *words, env={"SEED": "7"}, place=tmp_path)
    status, errors = recorded.killed(process, signal.SIGTERM)
    assert status == 143, errors
    record = recorded.valid(tmp_path / "r.json")
    assert record["exit"]["status"] == 143
    assert len(records.processes(record)[0].of("step")) == 3
    assert record["incomplete"] == ["process 0 was killed: what it knew at its end is missing"]
    assert list(tmp_path.glob("*.parts")) == []


@pytest.mark.torch
def test_sigkill_of_the_recorder_leaves_the_steps_so_far(python: Path, tmp_path: Path) -> None:
    program = recorded.training(tmp_path)
    words = ("-m", "seed_init", "record", "-o", "r.json", "--", python, program, "-1")
    process = recorded.started(python, *words, env={"SEED": "7"}, place=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "trained\n"
    [parts] = tmp_path.glob("*.parts")
    [trace] = parts.glob("*.jsonl")
    process.kill()
    # Nobody is left to end the program.
    os.kill(int(trace.stem.rpartition("-")[2]), signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (tmp_path / "r.json").exists()
    assert len(records.processes(records.load(parts))[0].of("step")) == 3


def test_a_signal_from_a_process_reaches_the_command_once(python: Path, tmp_path: Path) -> None:
    code = (
        "import signal, time\n"
        "got = []\n"
        "for number in (signal.SIGINT, signal.SIGUSR1):\n"
        "    signal.signal(number, lambda number, _: got.append(number))\n"
        "print('ready', flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "raise SystemExit(40 + len(got))\n"
    )
    for number in (signal.SIGINT, signal.SIGUSR1):
        words = ("-m", "seed_init", "record", "-o", f"{number}.json", "--", python, "-c", code)
        process = recorded.started(python, *words, env={"SEED": "7"}, place=tmp_path)
        status, errors = recorded.killed(process, number, "ready")
        assert status == 41, errors


@pytest.mark.parametrize("subcommand", ["record", "audit"])
def test_a_starter_that_ignores_the_end_of_children_does_not_make_it_wait_for_ever(
    python: Path, tmp_path: Path, subcommand: str
) -> None:
    """The kernel sends no SIGCHLD where it is ignored, and a program inherits what is ignored."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    words = ("-m", "seed_init", subcommand, "-o", tmp_path / "result", "--", "true")
    done = run(python, "-c", ignoring, *words)
    assert done.returncode == (2 if subcommand == "audit" else 0), done.stderr
    assert (tmp_path / "result").exists()


def test_a_command_that_cannot_run_ends_as_in_a_shell_without_a_record(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "script").write_text("#!/nowhere/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "text").write_text("no program")
    said: dict[Path | str, str] = {}
    for command, status, reason in (
        ("no-such-command", 127, "no such command in PATH; check its spelling"),
        (tmp_path / "missing", 127, "there is no such file; give an existing program"),
        (tmp_path / "text", 126, "is not executable; put its interpreter before it"),
        (tmp_path / "script", 126, "the interpreter that its #! line names does not exist"),
        (tmp_path, 126, "is a directory; give a program"),
        ("", 127, "no command is given; put it after --"),
    ):
        done = recorded.by_command(python, tmp_path / "r.json", command)
        assert (done.returncode, done.stdout) == (status, "")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1
        said[command] = done.stderr
    # The other commands say the same of it.
    audited = run(python, "-m", "seed_init", "audit", "--", tmp_path / "script")
    assert audited.stderr.replace("audit", "record") == said[tmp_path / "script"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script", "text"]


def test_a_record_that_is_there_is_overwritten_only_with_force(
    python: Path, tmp_path: Path
) -> None:
    file = tmp_path / "r.json"
    file.write_text("the user's")
    ran = tmp_path / "ran"
    done = recorded.by_command(python, file, "touch", ran)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (file.read_text(), ran.exists()) == ("the user's", False)
    words = ("-m", "seed_init", "record", "--force", "-o", file, "--", "touch", ran)
    assert run(python, *words).returncode == 0
    recorded.valid(file)


def test_a_place_that_cannot_be_written_is_said_before_the_command_runs(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for output, reason in ((tmp_path / "file/r.json", "Not a directory"),):
        done = recorded.by_command(python, output, "echo", "ran")
        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("subcommand", ["record", "verify", "audit", "cost"])
def test_a_directory_that_is_gone_is_said_to_be(
    python: Path, tmp_path: Path, subcommand: str
) -> None:
    command = (python, "-m", "seed_init", subcommand, "--", "true")
    done = in_a_directory_that_is_gone(tmp_path, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"seed-init {subcommand}: this directory cannot be used: No such file or directory; "
        "change to one that is there\n"
    )


def test_no_command_is_a_usage_error_with_an_example(python: Path, tmp_path: Path) -> None:
    done = run(python, "-m", "seed_init", "record", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no command is given; put it after --, for example: -- python train.py" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_has_an_example_and_the_exit_statuses(python: Path) -> None:
    done = run(python, "-m", "seed_init", "record", "--help")
    assert "seed-init record -o monday.json -- python train.py" in done.stdout
    assert "127" in done.stdout


def test_a_command_without_python_has_a_record_that_says_so(python: Path, tmp_path: Path) -> None:
    recorded.by_command(python, tmp_path / "r.json", "true")
    record = recorded.valid(tmp_path / "r.json")
    assert record["processes"] == []
    assert record["incomplete"] == [
        "no Python process of the run was observed: is the hook installed there?"
    ]


def test_each_python_of_a_shell_pipeline_is_in_the_record(python: Path, tmp_path: Path) -> None:
    pipeline = f"{python} -c 'print(1)' | {python} -c 'print(input())'"
    done = recorded.by_command(python, tmp_path / "r.json", "sh", "-c", pipeline)
    assert done.stdout == "1\n"
    assert len(recorded.valid(tmp_path / "r.json")["processes"]) == 2
