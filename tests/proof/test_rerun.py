"""`seed-init rerun` makes a recorded run again, or says in one line why it cannot."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import Completed, run
from seed_init.proof.rerunning.recorded import CannotRerun
from seed_init.proof.rerunning.recorded import of as of_record

from . import recorded

PROGRAM = """
import random, sys
print("drew", random.random())
"""
CHANGED = PROGRAM + "random.random()\n"

SECRET = "hunter2-or-another"


def git(directory: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always")
    command = ["git", "-C", str(directory), *identity, *words]
    return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a program that is committed."""
    directory = tmp_path / "project"
    (directory / "sub").mkdir(parents=True)
    git(directory, "init", "-q", "-b", "trunk")
    (directory / "train.py").write_text(PROGRAM)
    (directory / "sub/other.py").write_text(PROGRAM)
    (directory / ".gitignore").write_text("*.json\ndata.txt\nenv/\n")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "x")
    return directory


def state_of(repository: Path) -> dict[str, str]:
    """Everything that the user has there: the files, and what git says."""
    files = {
        str(path.relative_to(repository)): path.read_bytes().hex()
        for path in sorted(repository.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(repository).parts
    }
    status, worktrees = (
        git(repository, "status", "--porcelain"),
        git(repository, "worktree", "list"),
    )
    return {**files, "status": status, "worktrees": worktrees}


def record(python: Path, repository: Path, *words: Path | str, **more: Any) -> Path:
    """Record a run with its patch, outside of the repository; the record's file."""
    file = repository.parent / "record.json"
    words = words or (python, "train.py")
    command = ("-m", "seed_init", "record", "--patch", "-o", file, "--", *words)
    env = {"SEED": "7", **more.pop("env", {})}
    done = run(python, *command, env=env, **{"cwd": repository, **more})
    assert done.returncode == 0, done.stderr
    return file


def rerun(python: Path, repository: Path, file: Path, *options: str, **more: Any) -> Completed:
    env = {"SEED": "1", "TMPDIR": str(repository.parent), **more.pop("env", {})}
    more.setdefault("cwd", repository)
    return run(python, "-m", "seed_init", "rerun", *options, file, env=env, **more)


def left_behind(repository: Path) -> list[str]:
    """What a rerun has left in the temporary directory."""
    return [path.name for path in repository.parent.glob("seed-init-*")]


def test_a_run_with_changes_that_were_not_committed_is_made_again(
    python: Path, repository: Path
) -> None:
    (repository / "train.py").write_text(CHANGED)
    file = record(python, repository)
    # The user goes on: another commit, other changes, another seed.
    (repository / "train.py").write_text("raise SystemExit('another program')\n")
    git(repository, "commit", "-qam", "y")
    (repository / "sub/other.py").write_text("changed\n")
    before = state_of(repository)
    done = rerun(python, repository, file)
    assert done.returncode == 0, done.stdout + done.stderr
    commit = git(repository, "rev-parse", "--short=12", "HEAD~1").strip()
    drew, verdict, *rest = done.stdout.splitlines()
    assert drew == "drew 0.32383276483316237"
    assert verdict == f"SAME: {python} train.py, at {commit} with the recorded patch"
    assert rest == [
        "",
        "compared: 0 steps of 1 process; generators at the end: random",
        "not compared: training steps: the records have none in common",
    ]
    told = done.stderr.splitlines()
    assert told[0].startswith(f"seed-init rerun: differs here: commit: {commit} and ")
    assert told[1] == (
        "seed-init rerun: differs here: variable SEED: 7 and 1 (the run has the recorded value)"
    )
    assert len(told) == 2
    assert state_of(repository) == before
    assert left_behind(repository) == []


def test_a_run_that_comes_out_otherwise_is_different(python: Path, repository: Path) -> None:
    outside = repository.parent / "outside.txt"
    outside.write_text("1")
    code = f"import random; [random.random() for _ in range(int(open({str(outside)!r}).read()))]\n"
    (repository / "train.py").write_text(code)
    file = record(python, repository)
    outside.write_text("2")
    done = rerun(python, repository, file, "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["verdict"], told["patched"], told["status"]) == ("different", True, 0)
    assert told["comparison"]["difference"]["generator"] == "random"
    assert [each["what"] for each in told["comparison"]["explanations"]] == [f"data file {outside}"]


def test_what_git_does_not_have_is_copied_if_it_is_the_same_file(
    python: Path, repository: Path
) -> None:
    """The interpreter of a virtual environment, data that git ignores, a module not yet added."""
    (repository / "env/bin").mkdir(parents=True)
    (repository / "env/bin/python3").symlink_to(python)
    (repository / "data.txt").write_text("3")
    (repository / "sub/module.py").write_text("more = 1\n")
    code = (
        "import random, module\n"
        "print(random.randrange(10 ** 9), open('../data.txt').read(), __file__)\n"
        "open('written.txt', 'w').write('5')\n"
    )
    (repository / "sub/other.py").write_text(code)
    file = record(python, repository, "../env/bin/python3", "other.py", cwd=repository / "sub")
    (repository / "sub/written.txt").unlink()
    before = state_of(repository)
    done = rerun(python, repository, file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert state_of(repository) == before


def test_modules_come_from_the_worktree_and_another_one_is_named(
    python: Path, repository: Path
) -> None:
    helper = repository / "lib/helper.py"
    helper.parent.mkdir()
    helper.write_text("import random\nrandom.random()\n")
    (repository / "train.py").write_text("import helper\n")
    (repository / "fixed.py").write_text(
        f"import sys; sys.path[0] = {str(helper.parent)!r}\nimport helper\n"
    )
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "y")
    (repository / "left.txt").write_text("")
    variables = {"PYTHONPATH": str(helper.parent)}
    fixed = record(python, repository, python, "fixed.py").rename(repository.parent / "fixed.json")
    file = record(python, repository, env=variables)
    helper.write_text("import random\nrandom.random(), random.random()\n")
    (repository / "notes.txt").write_text("")
    moved = rerun(python, repository, file, env={**variables, "SEED": "7"})
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert moved.stderr == (
        "seed-init rerun: differs here: changes that are not committed: none and some (the run has "
        "those of the record)\n"
        "seed-init rerun: not in the worktree: left.txt, which git did not track, and which no "
        "Python of the run imported or opened\n"
    )
    # As a package that is installed from the user's tree.
    done = rerun(python, repository, fixed, env={"SEED": "7"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"module {helper}: " in done.stdout


def test_check_says_whether_a_run_can_be_made_and_makes_none(
    python: Path, repository: Path
) -> None:
    file = record(python, repository)
    done = rerun(python, repository, file, "--check", env={"SEED": "7"})
    commit = git(repository, "rev-parse", "--short=12", "HEAD").strip()
    assert done.stdout == f"can be made again: {python} train.py, at {commit}\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_the_record_of_the_new_run_has_the_paths_of_the_first(
    python: Path, repository: Path
) -> None:
    file = record(python, repository, python, repository / "train.py")
    kept = repository.parent / "again.json"
    done = rerun(python, repository, file, "-o", str(kept))
    assert done.returncode == 0, done.stderr
    first, second = recorded.valid(file), recorded.valid(kept)
    for section in ("command", "environment", "packages", "python"):
        assert first[section] == second[section]
    assert first["code"]["modules"] == second["code"]["modules"]
    assert first["processes"][0]["argv"] == second["processes"][0]["argv"]
    refused = rerun(python, repository, file, "-o", str(kept))
    assert refused.returncode == 2
    assert "is there already" in refused.stderr


Change = Callable[[dict[str, Any]], None]


def in_code(**values: Any) -> Change:
    return lambda content: content["code"].update(values)


def in_patch(**values: Any) -> Change:
    return lambda content: content["code"]["patch"].update(values)


def with_word(word: str) -> Change:
    return lambda content: content["command"]["argv"].append(word)


def a_rank(content: dict[str, Any]) -> None:
    content["environment"]["start"]["WORLD_SIZE"] = "4"


def writing_elsewhere(content: dict[str, Any]) -> None:
    content["files"]["written"].append("/etc/passwd")


REFUSALS: list[tuple[str, Change]] = [
    ("the run was made in no git repository", in_code(commit=None)),
    ("is no name of a commit", in_code(commit="--detach")),
    ("which code ran is not known: nobody asked git", in_code(dirty=None)),
    ("another commit was checked out", in_code(note="another commit was checked out")),
    ("and the record does not have them; commit them", in_code(patch=None)),
    ("the record is of a former version", in_code(prefix=None)),
    ("the record says of", in_code(prefix="elsewhere")),
    ("something was left out of a.py", in_patch(redacted=["a.py"])),
    ("are not in the record: too large", in_patch(lines=None, note="too large")),
    ("was changed after it was recorded", in_patch(lines=[])),
    ("the command is not recorded whole", with_word("--password=<redacted>")),
    ("one rank of 4 (WORLD_SIZE)", a_rank),
]
"""What is refused by the record alone."""

REFUSALS_OF_HERE: list[tuple[str, Change]] = [
    (
        "0123456701234567012345670123456701234567 is no commit of this repository",
        in_code(commit="01234567" * 5),
    ),
    ("something was left out of a.py", in_patch(redacted=["a.py"])),
    ("writes /etc/passwd again, outside of its repository", writing_elsewhere),
]
"""What is refused in the repository, and one of the others as an example."""


def test_a_record_that_does_not_say_enough_is_refused_in_one_line(
    python: Path, repository: Path, tmp_path: Path
) -> None:
    (repository / "train.py").write_text(CHANGED)
    file = record(python, repository)
    before = state_of(repository)
    for reason, change in REFUSALS:
        content = json.loads(file.read_text())
        change(content)
        with pytest.raises(CannotRerun, match=re.escape(reason)):
            of_record(content)
    for reason, change in REFUSALS_OF_HERE:
        content = json.loads(file.read_text())
        change(content)
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps(content))
        done = rerun(python, repository, changed, env={"SEED": "7"})
        assert (done.returncode, done.stdout) == (2, ""), reason
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("seed-init rerun: ")
    assert state_of(repository) == before
    assert left_behind(repository) == []


def test_where_there_is_no_git_or_no_repository_one_line_says_so(
    python: Path, repository: Path, tmp_path: Path
) -> None:
    file = record(python, repository)
    without = rerun(python, repository, file, env={"PATH": str(tmp_path)})
    assert without.stderr == (
        "seed-init rerun: git is not there, which checks out another revision; install git\n"
    )
    elsewhere = rerun(python, repository, file, cwd=tmp_path)
    assert elsewhere.stderr.startswith(
        f"seed-init rerun: {tmp_path} is in no working tree of git's; "
    )
    assert (without.returncode, elsewhere.returncode) == (2, 2)


def test_a_file_that_git_does_not_track_and_that_was_changed_is_named(
    python: Path, repository: Path
) -> None:
    (repository / "module.py").write_text("more = 1\n")
    (repository / "train.py").write_text(f"import module\n{PROGRAM}")
    file = record(python, repository)
    (repository / "module.py").write_text("more = 2\n")
    done = rerun(python, repository, file)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "seed-init rerun: the run imported module.py, which git does not track and which is not "
        "the same file any more: git add it before you record\n"
    )
    (repository / "module.py").unlink()
    assert "and which is not here: git add it" in rerun(python, repository, file).stderr


def test_a_script_that_git_does_not_track_is_refused(python: Path, repository: Path) -> None:
    script = repository / "run.sh"
    script.write_text(f"#!/bin/sh\nexec {python} train.py\n")
    script.chmod(0o755)
    file = record(python, repository, "./run.sh")
    done = rerun(python, repository, file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the command is run.sh, which git does not track: git add it" in done.stderr


def test_a_signal_ends_the_run_and_leaves_nothing_behind(python: Path, repository: Path) -> None:
    code = "import random, time\nprint('ready', flush=True)\nwhile WAIT: time.sleep(0.01)\n"
    wait = repository.parent / "wait"
    (repository / "train.py").write_text(
        code.replace("WAIT", f"__import__('os').path.exists({str(wait)!r})")
    )
    file = record(python, repository)
    wait.write_text("")
    before = state_of(repository)
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = recorded.started(
            *(python, "-m", "seed_init", "rerun", file),
            env={"SEED": "7", "TMPDIR": str(repository.parent)},
            place=repository,
        )
        ended, errors = recorded.killed(process, number, "ready")
        assert ended == status, errors
        assert "interrupted; nothing is compared" in errors
        assert state_of(repository) == before
        assert left_behind(repository) == []


def test_a_program_that_removes_its_worktree_leaves_nothing_in_the_repository(
    python: Path, repository: Path
) -> None:
    gone = "import os, random, shutil\nif 'seed-init' in os.getcwd(): os.unlink('.git')\n"
    (repository / "train.py").write_text(gone)
    file = record(python, repository)
    before = state_of(repository)
    assert rerun(python, repository, file).returncode == 0
    assert state_of(repository) == before
    assert list((repository / ".git").glob("worktrees/*")) == []


# --- record --patch ---------------------------------------------------------------------------


def test_a_patch_has_no_secret_and_says_that_it_is_not_whole(
    python: Path, repository: Path
) -> None:
    key = "-----BEGIN PRIVATE KEY-----"
    (repository / "train.py").write_text(f"{PROGRAM}api_key = '{SECRET}'\nrandom.random()\n")
    (repository / "sub/other.py").write_text(f"{PROGRAM}KEY = '''{key}\n{SECRET}\n'''\n")
    file = repository.parent / "record.json"
    words = ("-m", "seed_init", "record", "--patch", "-o", file, "--", python, "train.py")
    done = run(python, *words, env={"SEED": "7"}, cwd=repository)
    assert done.returncode == 0, done.stderr
    assert "the patch is not whole: " in done.stderr
    assert "is left out of sub/other.py, train.py; seed-init rerun will refuse it" in done.stderr
    assert SECRET not in file.read_text()
    patch = recorded.valid(file)["code"]["patch"]
    assert patch["redacted"] == ["sub/other.py", "train.py"]
    assert "+api_key = <redacted>" in patch["lines"]
    refused = rerun(python, repository, file)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "something was left out of sub/other.py; commit the change" in refused.stderr


def test_what_is_not_text_is_not_in_a_patch(python: Path, repository: Path) -> None:
    (repository / "weights.bin").write_bytes(b"\0" * 100)
    git(repository, "add", "weights.bin")
    file = record(python, repository)
    patch = recorded.valid(file)["code"]["patch"]
    assert patch["redacted"] == ["weights.bin"]
    assert patch["lines"][-2:] == ["GIT binary patch", "<redacted>"]
    git(repository, "rm", "-qf", "weights.bin")
    (repository / "train.py").write_bytes(PROGRAM.encode() + "# \xe9\n".encode("latin-1"))
    (repository.parent / "record.json").unlink()
    program = "import random; random.random()"
    patch = recorded.valid(record(python, repository, python, "-c", program))["code"]["patch"]
    assert (patch["lines"], patch["note"]) == (None, "it has text that is not in UTF-8")


def test_a_patch_fits_whatever_the_user_has_configured(python: Path, repository: Path) -> None:
    for name, value in (
        ("diff.noprefix", "true"),
        ("diff.context", "0"),
        ("diff.relative", "true"),
        ("diff.renames", "copies"),
        ("apply.whitespace", "error-all"),
        ("core.hooksPath", "hooks"),
        ("color.ui", "always"),
    ):
        git(repository, "config", name, value)
    (repository / "hooks").mkdir()
    hook = repository / "hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {repository.parent}/hooked\n")
    hook.chmod(0o755)
    git(repository, "mv", "train.py", "renamed.py")
    (repository / "renamed.py").write_text(f"{PROGRAM}\t \nif True:\n\trandom.random()   \n")
    (repository / "sub/other.py").write_text(PROGRAM.removesuffix("\n"))
    file = record(python, repository, python, "../renamed.py", cwd=repository / "sub")
    git(repository, "stash", "-q")
    done = rerun(python, repository, file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (repository.parent / "hooked").exists()


def test_a_patch_is_asked_for_in_a_repository_only(python: Path, tmp_path: Path) -> None:
    words = ("-m", "seed_init", "record", "--patch", "--", "touch", "ran")
    done = run(python, *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--patch asks git, which does not answer here" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_parts_of_a_record_are_no_untracked_files(python: Path, repository: Path) -> None:
    (repository / ".gitignore").write_text("env/\n")
    git(repository, "commit", "-qam", "y")
    words = ("-m", "seed_init", "record", "--patch", "-o", "r.json", "--", python, "train.py")
    assert run(python, *words, env={"SEED": "7"}, cwd=repository).returncode == 0
    code = recorded.valid(repository / "r.json")["code"]
    assert (code["untracked_files"], code["patch"]["untracked"]) == (0, [])
    assert (code["dirty"], code["patch"]["lines"]) == (False, [])
    assert os.listdir(repository / "sub") == ["other.py"]  # noqa: PTH208
