"""One run of the user's command: what it is started with, what it leaves, and that it ends."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from harness.waiting import until
from seed_init.proof.running import (
    busy_cpus,
    commands,
    conditions,
    jobs,
    runner,
    signals,
    workspace,
)
from seed_init.proof.running.conditions import Condition

from .support import are_gone, kill, run, starting, stdout, with_variable

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    "cells": [
        {"id": "a", "cell_type": "markdown", "metadata": {}, "source": "# A title"},
        *(
            {
                "id": name,
                "cell_type": "code",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": source,
            }
            for name, source in (
                ("b", "import sys\nprint('loss', 1)\nprint('noise', file=sys.stderr)\nobject()"),
                ("c", "from IPython.display import Image\nImage(data=b'\\x89PNG', format='png')"),
            )
        ),
    ],
}


@pytest.mark.parametrize(
    "script, status",
    [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_the_status_is_the_one_that_a_shell_shows(tmp_path: Path, script: str, status: int) -> None:
    done = run(tmp_path, "sh", "-c", script)
    assert (done.status, done.signal) == (status, status - 128 if status > 128 else None)


def test_standard_output_is_kept_to_the_byte_and_stderr_apart(tmp_path: Path) -> None:
    done = run(tmp_path, "sh", "-c", r"printf 'a\377\r\nb'; echo one >&2; echo two >&2")
    assert stdout(done) == b"a\xff\r\nb"
    assert done.last_errors() == ["one", "two"]
    assert done.last_errors(1) == ["two"]
    assert done.notes == []


def test_stdin_is_empty_or_the_given_file_from_its_beginning_each_time(tmp_path: Path) -> None:
    assert stdout(run(tmp_path, "cat")) == b""
    (tmp_path / "given").write_text("text")
    for _ in range(2):
        assert stdout(run(tmp_path, "cat", stdin=tmp_path / "given")) == b"text"


def test_the_command_starts_with_the_signals_and_variables_of_one_started_by_hand(
    tmp_path: Path,
) -> None:
    """A Python lies between, which ignores SIGPIPE and may set LC_CTYPE for itself."""
    words = ("sh", "-c", "grep -E '^(Sig|Shd)' /proc/self/status; ls /proc/self/fd; env | sort")
    variables = {"PATH": os.defpath, "LANG": "C"}
    directory = tmp_path / "run"
    done = runner.run(
        words, conditions.base(), directory, plan={"instruments": []}, environment=variables,
        cwd=tmp_path,
    )  # fmt: skip
    by_hand = subprocess.run(
        words, env=variables, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    ours = {"PYTHONHASHSEED", "TMPDIR", "SEED_INIT_TRACE", "PYTHONDONTWRITEBYTECODE"}
    lines = stdout(done).decode().splitlines()
    kept = [line for line in lines if line.partition("=")[0] not in ours]
    assert kept == by_hand.stdout.decode().splitlines()
    assert len(lines) == len(kept) + len(ours)


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "no command is given; put it after --, for example"),
        (["no-such-program"], "no-such-program: no such command in PATH; check its spelling"),
        (["plain"], "plain: no such command in PATH; write ./plain"),
        (["./missing"], "./missing: there is no such file in "),
        (["./plain"], "./plain is not executable; put its interpreter before it, or chmod +x"),
        (["./directory"], "./directory is a directory; give a program, or python -m"),
        (["./headless"], "./headless is no program and has no #! line; put its interpreter"),
        (["./orphan"], "./orphan: the interpreter that its #! line names does not exist"),
        (["missing.ipynb"], "missing.ipynb: there is no such file; give the path of a notebook"),
        (["missing.py"], "missing.py: no such command in PATH; check its spelling"),
        (["true", "x" * (1 << 21)], "true: the arguments and the environment are too long"),
    ],
)
def test_a_command_that_cannot_be_started_is_said_in_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "directory").mkdir()
    for name, text in (("plain", "x"), ("headless", "true"), ("orphan", "#!/no/such/shell\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644 if name == "plain" else 0o755)
    with pytest.raises(commands.CannotStart) as refused:
        runner.run(
            words, conditions.base(), tmp_path / "run", plan={"instruments": []}, cwd=tmp_path,
            environment={"PATH": os.defpath},
        )  # fmt: skip
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become a user who may not look")
def test_a_directory_that_the_user_may_not_look_into_is_passed_over_on_path_and_named_else(
    tmp_path: Path,
) -> None:
    """As root's directories on the PATH of whoever runs with another user number."""
    locked = tmp_path / "locked"
    locked.mkdir()
    shutil.copy("/bin/true", locked / "true")
    locked.chmod(0)
    program = """
import os, sys
from pathlib import Path
from seed_init.proof.running import commands, in_place
os.setgid(65534)
os.setuid(65534)
for word in ("true", sys.argv[1] + "/true"):
    environment = {"PATH": f"{sys.argv[1]}:{os.defpath}"}
    try:
        print(commands.resolve([word], environment, Path("/"), Path("/")).program)
    except commands.CannotStart as error:
        print(error)
    try:
        print(in_place.run_as_a_shell([word], environment).status)
    except in_place.CannotRun as error:
        print(error.status, error)
"""
    words = [sys.executable, "-c", program, str(locked)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    refused = f"{locked}/true cannot be executed: Permission denied; check the file"
    found = shutil.which("true", path=os.defpath)
    assert done.stdout.splitlines() == [found, "0", refused, f"126 {refused}"]


def test_a_python_file_is_run_by_python_unless_it_is_executable(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"#!{shutil.which('sh')}\necho by the shell\n")
    script.chmod(0o755)
    assert stdout(run(tmp_path, "./train.py")) == b"by the shell\n"
    script.write_text("import sys; print(sys.argv)")
    script.chmod(0o644)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    path = f"{tmp_path}/bin:{os.defpath}"
    done = run(tmp_path, "train.py", "--lr=1", env={"PATH": path})
    assert stdout(done) == b"['train.py', '--lr=1']\n"
    assert done.notes == [f"train.py is not executable: running it with {tmp_path}/bin/python"]


def test_the_trace_is_in_the_runs_directory_and_was_written_to_one_path(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other commands, at the same time, hold the first name before and after, and then the next."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = "import os; print(os.environ['SEED_INIT_TRACE'], os.environ['TMPDIR'])"
    plan = {"instruments": ["end"], "an option": 1}
    runs = []
    with workspace.RunDirectory() as held:
        for number in range(3):
            with contextlib.ExitStack() as others:
                for _ in range((1, 0, 2)[number]):
                    others.enter_context(others.enter_context(workspace.RunDirectory()).emptied())
                runs.append(run(tmp_path, python, "-c", source, plan=plan, run_directory=held))
    assert not list(tmp_path.glob("seed-init-*"))
    for done in runs:
        (process,) = done.processes()
        assert process.header["argv"][1:] == ["-c", source]
        assert process.of("end")
        assert json.loads((done.trace / "plan.json").read_text()) == plan
    assert stdout(runs[0]) == stdout(runs[1]) == stdout(runs[2])
    for path in stdout(runs[0]).decode().split():
        assert not Path(path).exists()


@pytest.mark.parametrize("left", ["", "rm -r $TMPDIR/..", "chmod 777 $TMPDIR/..; touch $TMPDIR/x"])
def test_each_run_finds_its_directory_empty_whatever_the_one_before_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    show = f"stat -c %a $TMPDIR/..; ls -A $TMPDIR/.. $TMPDIR; {left}"
    with workspace.RunDirectory() as held:
        printed = [stdout(run(tmp_path, "sh", "-c", show, run_directory=held)) for _ in range(2)]
    assert printed[0].startswith(b"700")
    assert printed[0] == printed[1]
    assert not list(tmp_path.glob("seed-init-*"))


def test_a_directory_that_a_run_has_written_is_not_written_again(tmp_path: Path) -> None:
    for expected in (None, FileExistsError):
        try:
            runner.run(["true"], conditions.base(), tmp_path / "run", plan={"instruments": []})
        except FileExistsError as error:
            assert expected is type(error)
        else:
            assert expected is None


def test_runs_in_several_threads_do_not_meet(tmp_path: Path) -> None:
    """Each waits for the others to have begun, so that they all are under way at once."""
    script = "echo $TMPDIR; touch begun-$0; while [ ! -e begun-$1 ]; do sleep 0.01; done; echo $0"

    def one(number: int) -> runner.Run:
        return run(tmp_path, "sh", "-c", script, str(number), str((number + 1) % 4))

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(one, range(4)))
    printed = [stdout(each).decode().split() for each in done]
    assert [number for _, number in printed] == ["0", "1", "2", "3"]
    assert len({directory for directory, _ in printed}) == 4


def test_progress_is_told_the_seconds_and_where_the_trace_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TICK", 0.01)
    told: list[tuple[float, bool]] = []

    def progress(seconds: float, trace: Path) -> None:
        told.append((seconds, (trace / "plan.json").is_file()))
        if len(told) == 3:
            (tmp_path / "go").touch()

    script = "while [ ! -e go ]; do sleep 0.01; done"
    done = run(tmp_path, "sh", "-c", script, progress=progress)
    assert len(told) >= 3 and all(is_file for _, is_file in told)
    assert told == sorted(told) and told[-1][0] <= done.seconds


def test_a_run_that_takes_too_long_is_ended_even_if_it_ignores_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "POLITE", 0.3)
    source = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
    done = run(tmp_path, sys.executable, "-c", source, timeout=3, env={"SEED_INIT": "0"})
    assert done.status == 124
    assert len(stdout(done).split()) == 2
    assert are_gone(int(word) for word in stdout(done).split())


def test_what_the_command_leaves_running_may_end_by_itself(tmp_path: Path) -> None:
    done = run(tmp_path, "sh", "-c", "(sleep 0.5; echo late) & echo first")
    assert (stdout(done), done.notes) == (b"first\nlate\n", [])
    assert done.seconds < 0.5


def test_what_the_command_leaves_running_is_ended_and_told(tmp_path: Path) -> None:
    # One in the command's group, one in a session of its own, as torchrun's ranks are, and one
    # that has nothing any more of where it comes from.
    leaving = "sleep 600 & echo $!; setsid sleep 601 & echo $!; setsid env -i sleep 602 & echo $!"
    done = run(tmp_path, "sh", "-c", leaving, linger=0.2)
    pids = stdout(done).decode().split()
    assert are_gone(map(int, pids))
    [note] = done.notes
    assert note.startswith("3 processes were still running 0.2 s after it, and ended: ")
    assert all(f"{pid} (sleep {600 + number})" in note for number, pid in enumerate(pids))


def test_secrets_are_left_out_where_a_process_is_named(tmp_path: Path) -> None:
    leaving = "sh -c 'sleep 600; true' sh --password=hunter2 &"
    [note] = run(tmp_path, "sh", "-c", leaving, linger=0.2).notes
    assert "--password=" in note
    assert "hunter2" not in note


def test_nothing_of_a_run_outlives_a_seed_init_that_was_killed(tmp_path: Path) -> None:
    source = """
from pathlib import Path
from seed_init.proof.running import conditions, runner
script = "setsid env -i sleep 600 & echo $! >>pids; sleep 600 & echo $! >>pids; touch begun; wait"
runner.run(["sh", "-c", script], conditions.base(), Path("run"), plan={"instruments": []})
"""
    process = starting(source, tmp_path)
    pids: list[int] = []
    try:
        until("a beginning", (tmp_path / "begun").exists)
        pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
        assert not are_gone(pids)
        process.kill()
        until("their end", lambda: are_gone(pids))
    finally:
        process.kill()
        kill(pids)


LATE = """
import os, sys, time
from seed_init.proof.running import launcher

keep = launcher.keep
def late(child, ended):
    time.sleep(2)
    keep(child, ended)
launcher.keep = late
script = "sleep 600 & echo $! >pids; touch begun; wait"
launcher.main(os.dup(1), os.dup(1), "any", 0, "1", ["/bin/sh", "sh", "-c", script])
"""
"""A keeper that comes to its work late, as on a machine whose CPUs are all busy."""


def test_a_keeper_that_is_ended_before_it_is_ready_leaves_no_process(tmp_path: Path) -> None:
    process = starting(LATE, tmp_path)
    pids: list[int] = []
    try:
        until("a beginning", (tmp_path / "begun").exists)
        pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
        process.terminate()
        until("their end", lambda: are_gone(pids))
    finally:
        process.kill()
        kill(pids)


def test_the_keeper_alone_holds_what_is_to_be_held_until_the_end(tmp_path: Path) -> None:
    lock = (tmp_path / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    command = commands.Command("/bin/sh", ("sh", "-c", "ls -l /proc/self/fd; sleep 1"))
    environment = {"PATH": os.defpath, "SEED_INIT_TRACE": str(tmp_path / "trace")}
    start = jobs.Start(command, "any", environment, tmp_path, None, tmp_path, held=(lock.fileno(),))
    job = jobs.Job(start)
    try:
        job.started()
        lock.close()
        with (tmp_path / "lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        job.wait(None, None)
        job.end()
    with (tmp_path / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert "/lock" not in (tmp_path / "stdout").read_text()


INTERRUPTED = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from seed_init.proof.running import conditions, runner, signals

def one(number):
    script = "setsid sleep 600 & echo $! >>pids; echo $$ >>pids; touch begun-$0; wait"
    runner.run(["sh", "-c", script, str(number)], conditions.perturbed(1), Path(f"run-{number}"),
                plan={"instruments": []})

if sys.argv[1] == "thread":
    with signals.ending_on_signals(), ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
else:
    one(0)
"""


@pytest.mark.parametrize("where, runs", [("main", 1), ("thread", 2)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_with_all_that_it_started_and_cleans_up(
    tmp_path: Path, where: str, runs: int, number: int
) -> None:
    source = f"import sys; sys.argv[1:] = [{where!r}]{INTERRUPTED}"
    process = starting(source, tmp_path, start_new_session=True)
    pids: list[int] = []
    try:
        for each in range(runs):
            until("a beginning", (tmp_path / f"begun-{each}").exists)
        pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
        pids += with_variable(f"    pass\n\0{process.pid}\0")
        assert len(pids) == runs * (2 + busy_cpus.cpus())
        assert not are_gone(pids)
        assert len(list(tmp_path.glob("seed-init-*"))) == runs
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert are_gone(pids)
        assert list(tmp_path.glob("seed-init-*")) == []
        # As Python ends by itself on Ctrl-C, or as shells show a signal.
        assert process.returncode in (-number, 128 + number)
        assert "Traceback" not in errors or number == signal.SIGINT
    finally:
        process.kill()
        kill(pid for pid in with_variable(str(tmp_path)))


def test_a_command_that_its_keeper_has_not_started_yet_is_ended(tmp_path: Path) -> None:
    """As by a signal that comes right after the start of a run."""
    environment = {**os.environ, "SEED_INIT_TRACE": str(tmp_path / "trace")}
    command = commands.resolve(("sleep", "20"), environment, tmp_path, tmp_path)
    job = jobs.Job(jobs.Start(command, "any", environment, tmp_path, None, tmp_path))
    job.end()
    job.wait(None, None)
    # After its own end the status would be 0.
    assert job.signal in (signal.SIGTERM, signal.SIGKILL)
    assert with_variable(f"SEED_INIT_TRACE={tmp_path}/trace") == []


@pytest.mark.torch
def test_a_signal_ends_torchruns_ranks(tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(
        "import os, time\nopen('pids', 'a').write(f'{os.getpid()} {os.getpgid(0)}\\n')\n"
        "open('ready-' + os.environ['RANK'], 'w')\ntime.sleep(600)\n"
    )
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    source = f"""
from pathlib import Path
from seed_init.proof.running import conditions, runner
runner.run([*{words}, "rank.py"], conditions.base(), Path("run"), plan={{"instruments": []}})
"""
    process = starting(source, tmp_path, start_new_session=True)
    try:
        until("two ranks", lambda: all((tmp_path / f"ready-{rank}").exists() for rank in (0, 1)))
        pids = [int(line.split()[0]) for line in (tmp_path / "pids").read_text().splitlines()]
        assert len(pids) == 2 and not are_gone(pids)
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 143
        assert are_gone(pids)
        assert with_variable(f"SEED_INIT_TRACE={tmp_path}") == []
    finally:
        process.kill()
        kill(with_variable(f"SEED_INIT_TRACE={tmp_path}"))


def test_a_full_disk_does_not_stop_the_command_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/stdout").symlink_to("/dev/full")
    done = runner.run(
        ["sh", "-c", "seq 100000; echo end >&2"], conditions.base(), tmp_path / "run",
        plan={"instruments": []},
    )  # fmt: skip
    assert (done.status, done.last_errors()) == (0, ["end"])
    assert done.failures == [f"{tmp_path}/run/stdout is not complete: No space left on device"]


def test_a_directory_that_a_killed_run_left_is_emptied_and_used_again(tmp_path: Path) -> None:
    source = INTERRUPTED.replace('if sys.argv[1] == "thread"', "if False")
    process = starting(source, tmp_path, start_new_session=True)
    try:
        until("a beginning", (tmp_path / "begun-0").exists)
        leader = int((tmp_path / "pids").read_text().split()[1])
        (left,) = tmp_path.glob("seed-init-*")
        (left / "junk").mkdir()
        process.kill()
        process.communicate()
        until("their end", lambda: are_gone([leader]))
        assert left.exists()
        show = "import tempfile; from seed_init.proof.running import workspace\n"
        show += "with workspace.RunDirectory() as held, held.emptied() as own:\n"
        show += "    print(own, list(own.iterdir()))"
        with starting(show, tmp_path) as next_one:
            assert next_one.communicate()[0] == f"{left} []\n"
        assert not left.exists()
    finally:
        kill(with_variable(str(tmp_path)))


def test_without_locks_no_directory_is_made_and_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(handle: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(workspace.fcntl, "flock", not_there)
    with workspace.RunDirectory() as held:
        for directory in (lambda: workspace.results("verify"), held.emptied):
            with pytest.raises(OSError, match="no locks or no permissions; set"), directory():
                pass


def test_what_killed_commands_have_left_is_cleared_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    show = "import time\nfrom seed_init.proof.running import workspace\n"
    show += "with workspace.results('verify') as own, workspace.RunDirectory().emptied() as run:\n"
    show += "    (own / 'kept').touch(); print(own, run, flush=True); time.sleep(600)"
    with starting(show, tmp_path) as killed, starting(show, tmp_path) as living:
        try:
            named = []
            for process in (killed, living):
                assert process.stdout is not None
                named.append([Path(word) for word in process.stdout.readline().split()])
            prefix = f"seed-init-{os.getuid()}-"
            assert all(path.name.startswith(prefix) for path in (*named[0], *named[1]))
            killed.kill()
            killed.wait()
            assert all(path.is_dir() for path in named[0])
            # Somebody else's might be: a link, what others can write to, a name that is not ours.
            treasure = tmp_path / "treasure"
            (treasure / "inside").mkdir(parents=True)
            (tmp_path / f"{prefix}link").symlink_to(treasure)
            (tmp_path / f"{prefix}open").mkdir()
            (tmp_path / f"{prefix}open").chmod(0o777)
            (tmp_path / f"{prefix}file").touch()
            (tmp_path / "seed-init-other").mkdir(0o700)
            # One that is cleared has a link in it.
            (named[0][0] / "link").symlink_to(treasure)
            workspace.clear()
            assert all(path.is_dir() for path in named[0])  # it may only just have been made
            monkeypatch.setattr(workspace, "YOUNG", 0)
            before = set(tmp_path.iterdir())
            with workspace.results("verify") as own:
                assert list(own.iterdir()) == []
                assert set(tmp_path.iterdir()) == (before - set(named[0])) | {own}
            assert not own.exists()
            assert (treasure / "inside").is_dir()
            assert all(path.is_dir() for path in named[1])
        finally:
            killed.kill()
            living.kill()


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """nohup ignores SIGHUP."""
    other = signal.getsignal(signal.SIGTERM)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.ending_on_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not other
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) is other


def test_cleaning_up_is_not_interrupted() -> None:
    done = []
    with pytest.raises(signals.Ended) as ended, signals.ending_on_signals():
        with signals.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("all")
        done.append("too much")
    assert done == ["all"]
    assert (ended.value.signal, ended.value.code) == (15, 143)


@pytest.mark.slow
def test_a_notebook_is_executed_and_its_cells_outputs_are_its_standard_output(
    tmp_path: Path,
) -> None:
    place = tmp_path / "a {strange} place"
    place.mkdir()
    notebook = place / "train.ipynb"
    notebook.write_text(json.dumps(NOTEBOOK))
    before = notebook.read_bytes()
    path = f"{REPOSITORY}/.venv/bin:{os.defpath}"
    done = run(
        place, "train.ipynb", env={"PATH": path, "HOME": str(tmp_path), "SEED_INIT": "0"},
        condition=Condition("changed", (conditions.HASH_SEED,)),
    )  # fmt: skip
    assert done.status == 0, done.last_errors()
    lines = stdout(done).decode().splitlines()
    assert lines[:5] == [
        "[code cell 1: stdout]",
        "loss 1",
        "[code cell 1: text/plain]",
        "<object at (address)>",
        "[code cell 2: image/png]",
    ]
    assert lines[5].startswith("sha256 ")
    assert notebook.read_bytes() == before
    assert sorted(file.name for file in place.glob("*.ipynb")) == ["train.ipynb"]
    assert done.notes == ["train.ipynb is a notebook: running it with jupyter execute"]
