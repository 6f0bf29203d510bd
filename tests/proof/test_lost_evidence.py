"""What a run of hours has found is told, whatever becomes of the files that it is written to."""

import json
import shlex
from pathlib import Path

import pytest

from harness.processes import Completed, run
from seed_init.proof.trace import records

NOISE = "import os; print(os.urandom(4).hex())"
"""Prints something else each time."""


def seed_init(
    python: Path, *words: Path | str, place: Path, limit: int | None = None, to: str = ""
) -> Completed:
    """Run the command.

    Args:
        python: its interpreter.
        words: what follows.
        place: where.
        limit: KiB that a file may have: what is longer fails, as it does on a full disk.
        to: a redirection of the shell's.
    """
    line = shlex.join(map(str, (python, "-m", "seed_init", *words)))
    library = {"LD_LIBRARY_PATH": str(python.parent.parent / "lib")}
    # An ignored signal is inherited: a write that is too long fails, and kills nobody.
    script = "trap '' XFSZ; " + (f"ulimit -f {limit}; " if limit else "") + f"{line} {to}"
    env = {"SEED": "7", **library}
    return run("/bin/bash", "-c", script, env=env, cwd=place, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("a file", "File exists"),
        ("a full disk", "File too large"),
        ("no such place", "No such file or directory"),
    ],
)
def test_the_verdict_of_verify_outlives_its_records(
    python: Path, tmp_path: Path, broken: str, reason: str
) -> None:
    place = tmp_path / "records"
    if broken == "a file":
        place.write_text("the user's")
    directory = Path("/proc/records") if broken == "no such place" else place
    limit = 6 if broken == "a full disk" else None
    for code, verdict, status in (("print(1)", "identical", 5), (NOISE, "different", 1)):
        words = ("verify", "--records", directory, "--no-locate", "--no-perturb", "--json", "--")
        done = seed_init(python, *words, python, "-c", code, place=tmp_path, limit=limit)
        assert done.returncode == status, done.stderr
        found = json.loads(done.stdout)
        assert found["verdict"] == verdict
        assert found["lost"] == f"not all records are in {directory}: {reason}"
        last = done.stderr.splitlines()[-1]
        assert last == f"seed-init verify: {found['lost']}"
        if broken != "a full disk":
            early = f"seed-init verify: there will be no records: {directory}: {reason}"
            assert done.stderr.splitlines()[0] == early
    if broken == "a file":
        assert place.read_text() == "the user's"
    if broken == "a full disk":
        assert list(place.iterdir()) == []


def test_runs_that_differ_do_so_though_the_closer_look_fails(python: Path, tmp_path: Path) -> None:
    # The first run of the closer look leaves something that is no trace.
    script = """
        echo >> runs; n=$(wc -l < runs); echo "$n"
        if [ "$n" -ge 3 ]; then echo '{}' > "$SEED_INIT_TRACE/1-1.jsonl"; fi
    """
    words = ("verify", "--json", "--", "/bin/sh", "-c", script)
    done = seed_init(python, *words, place=tmp_path)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "different"
    assert found["difference"]["values"] == ["1", "2"]
    [seen] = found["difference"]["trail"]
    assert seen.startswith("no closer look: ")


def test_a_failure_of_the_command_is_no_success_with_lost_records(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "records").write_text("")
    words = ("verify", "--records", "records", "--", python, "-c", "raise SystemExit(3)")
    done = seed_init(python, *words, place=tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith("FAILED: the command failed: exit status 3")
    assert "seed-init verify: not all records are in records: File exists" in done.stderr


def test_what_audit_found_is_shown_where_its_file_cannot_be_written(
    python: Path, tmp_path: Path
) -> None:
    code = "import time, pathlib; time.time(); pathlib.Path('out.txt').write_text('theirs')"
    for options, status in (((), 5), (("--fail-on", "clock"), 1)):
        words = ("audit", *options, "-o", "out.txt", "--", python, "-c", code)
        done = seed_init(python, *words, place=tmp_path)
        assert done.returncode == status, done.stderr
        assert "<string>:1  1x  time.time" in done.stdout
        assert done.stderr == f"seed-init audit: cannot write {tmp_path}/out.txt: File exists\n"
        # It was not there when the command began.
        assert (tmp_path / "out.txt").read_text() == "theirs"
        (tmp_path / "out.txt").unlink()


def test_what_audit_found_is_written_over_a_file_with_force_and_into_a_device(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.txt").write_text("before")
    rest = ("--", python, "-c", "import time; time.time()")
    assert seed_init(python, "audit", "-o", "out.txt", *rest, place=tmp_path).returncode == 2
    for options in (("--force", "-o", "out.txt"), ("-o", "/dev/stderr")):
        done = seed_init(python, "audit", *options, *rest, place=tmp_path)
        assert (done.returncode, done.stdout) == (0, "")
    assert "time.time" in done.stderr
    assert "time.time" in (tmp_path / "out.txt").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["> /dev/full", "| true"])
def test_a_verdict_is_the_exit_status_though_nobody_can_read_it(
    python: Path, tmp_path: Path, to: str
) -> None:
    """`| true` reads nothing: the command meets a broken pipe. Neither is to change a verdict."""
    to = to if ">" in to else "| { exec 0<&-; sleep 0; }; exit ${PIPESTATUS[0]}"
    full = "/dev/full" in to
    for name, code in (("a", "import random"), ("b", "import random; random.random()")):
        words = ("record", "-o", f"{name}.json", "--", python, "-c", code)
        assert seed_init(python, *words, place=tmp_path).returncode == 0
    for pair, status in ((("a", "a"), 5 if full else 0), (("a", "b"), 1)):
        files = [f"{name}.json" for name in pair]
        done = seed_init(python, "compare", *files, place=tmp_path, to=to)
        assert done.returncode == status, done.stderr
        line = "seed-init: cannot write the output: No space left on device\n" if full else ""
        assert done.stderr == line
    words = ("verify", "--no-locate", "--no-perturb", "--", python, "-c", NOISE)
    assert seed_init(python, *words, place=tmp_path, to=to).returncode == 1


def test_a_record_that_cannot_be_written_leaves_its_parts_and_another_status(
    python: Path, tmp_path: Path
) -> None:
    for code, status in (("pass", 2), ("raise SystemExit(3)", 3)):
        words = ("record", "-o", "r.json", "--", python, "-c", code)
        done = seed_init(python, *words, place=tmp_path, limit=6)
        assert done.returncode == status, done.stderr
        line = f"seed-init record: cannot write {tmp_path}/r.json: File too large; the parts "
        assert done.stderr.startswith(line)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parts"}
    assert all(records.read(path).processes for path in tmp_path.iterdir())


@pytest.mark.parametrize("status", [0, 7])
def test_record_ends_as_its_command_though_that_removed_what_was_recorded(
    python: Path, tmp_path: Path, status: int
) -> None:
    for removing, left in (("rm -r", "nothing of it is left"), ("touch", "the parts are in ")):
        script = f'{removing} "$SEED_INIT_TRACE"; echo "{{}}" > "$SEED_INIT_TRACE/1-2.jsonl"; '
        words = ("record", "-o", "r.json", "--", "/bin/sh", "-c", f"{script} exit {status}")
        done = seed_init(python, *words, place=tmp_path)
        assert done.returncode == (status or 2)
        line = done.stderr.splitlines()[-1]
        assert line.startswith(f"seed-init record: cannot write {tmp_path}/r.json: ")
        assert left in line


@pytest.mark.parametrize(("status", "told"), [(0, 5), (7, 7)])
def test_record_ends_as_its_command_though_its_output_cannot_be_written(
    python: Path, tmp_path: Path, status: int, told: int
) -> None:
    words = ("record", "-o", "r.json", "--json", "--", "/bin/sh", "-c", f"exit {status}")
    done = seed_init(python, *words, place=tmp_path, to="> /dev/full")
    assert done.returncode == told
    assert done.stderr.endswith("cannot write the output: No space left on device\n")
    assert records.load(tmp_path / "r.json")["exit"]["status"] == status


def test_a_name_that_is_too_long_is_said_in_one_line(python: Path, tmp_path: Path) -> None:
    name = "x" * 300
    for words in (
        ("report", name),
        ("record", "-o", name, "--", "/bin/true"),
        ("compare", name, name),
    ):
        done = seed_init(python, *words, place=tmp_path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "File name too long" in done.stderr


def test_a_stale_temporary_file_is_not_taken_for_the_report(python: Path, tmp_path: Path) -> None:
    words = ("record", "-o", "r.json", "--", python, "-c", "import random")
    assert seed_init(python, *words, place=tmp_path).returncode == 0
    # The shell is replaced by the command, so that its number is known before.
    stale = (
        f"import os; open('.report.html.' + str(os.getpid()), 'w').write('stale'); "
        f"os.execv({str(python)!r}, [{str(python)!r}, '-m', 'seed_init', 'report', 'r.json'])"
    )
    done = run(python, "-c", stale, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "report.html: not compared\n"
    [left] = tmp_path.glob(".report.html.*")
    assert left.read_text() == "stale"
