"""`seed-init set-default`: the defaults file changes as the contract allows, or not at all."""

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import Completed, output, run

from .support import write_defaults
from .test_refusals import ACCEPTED, PROGRAM

IMAGE = "# The team's.\n\n  # indented\nSEED=42\n\nDETERMINISM=warn\n# the end\n"
SHARED = Path("/etc/seed_init/defaults")


def set_default(python: Path, file: Path | str, *words: str, **env: str) -> Completed:
    """Run the command on a file of the test's.

    Always with --file: where the choice of the file is broken, a test that runs as root would
    write the machine's, which every Python with the hook obeys. The choice is tested without
    writing, and in containers (tests/image/test_image_team.py).
    """
    return run(python, "-m", "seed_init", "set-default", "--file", file, *words, env=env)


def chosen(python: Path | str) -> Path:
    """The file that the command changes without --file."""
    code = "from seed_init.cli import set_default; print(set_default.defaults_file())"
    return Path(output(python, "-c", code))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "defaults"
    path.write_text(IMAGE)
    return path


def refused(python: Path, file: Path, *words: str) -> str:
    """The one line of a refusal that leaves the file, and the folder around it, as they were."""
    before = file.read_bytes(), sorted(file.parent.iterdir())
    done = set_default(python, file, *words)
    assert (done.returncode, done.stdout) == (78, ""), done
    assert (file.read_bytes(), sorted(file.parent.iterdir())) == before
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("seed_init: ")
    return done.stderr.removeprefix("seed_init: ").rstrip("\n")


# --- what it writes -------------------------------------------------------------------------


def test_a_name_is_replaced_in_place_and_a_new_one_goes_to_the_end(
    python: Path, file: Path
) -> None:
    done = set_default(python, file, "SEED=1234", "SEED_INIT_LOG=quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"{file}: SEED 42 -> 1234\n{file}: SEED_INIT_LOG unset -> quiet\n")
    assert file.read_text() == IMAGE.replace("42", "1234") + "SEED_INIT_LOG=quiet\n"


def test_a_value_is_written_as_the_contract_normalises_it(python: Path, file: Path) -> None:
    done = set_default(python, file, " SEED = 0007 ")
    assert (done.returncode, done.stdout) == (0, f"{file}: SEED 42 -> 7\n")
    assert file.read_text() == IMAGE.replace("42", "7")


def test_a_value_may_have_an_equals_sign_and_spaces_inside(python: Path, file: Path) -> None:
    done = set_default(python, file, "SEED_INIT_RECORD=/a = b")
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_text() == f"{IMAGE}SEED_INIT_RECORD=/a = b\n"


def test_an_empty_value_takes_the_name_out(python: Path, file: Path) -> None:
    done = set_default(python, file, "DETERMINISM=")
    assert (done.returncode, done.stdout) == (0, f"{file}: DETERMINISM warn -> unset\n")
    assert file.read_text() == IMAGE.replace("DETERMINISM=warn\n", "")


def test_of_a_name_that_is_there_twice_one_line_stays_where_the_last_was(
    python: Path, file: Path
) -> None:
    file.write_text("SEED=1\n# between\n SEED = 2\nDETERMINISM=off\n")
    done = set_default(python, file, "SEED=3")
    assert (done.returncode, done.stdout) == (0, f"{file}: SEED 2 -> 3\n")
    assert file.read_text() == "# between\n SEED=3\nDETERMINISM=off\n"


def test_a_value_that_is_there_already_is_told_and_nothing_is_written(
    python: Path, file: Path
) -> None:
    before = file.stat()
    done = set_default(python, file, "SEED=42", "SEED_INIT_LOG=")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: SEED is 42 already\n{file}: SEED_INIT_LOG is unset already\n"
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_lines_of_a_file_whose_last_line_ends_are_not_parted(python: Path, file: Path) -> None:
    file.write_text("SEED=1\n")
    assert set_default(python, file, "SEED_INIT_LOG=debug").returncode == 0
    assert file.read_text() == "SEED=1\nSEED_INIT_LOG=debug\n"


def test_the_end_of_the_last_line_and_those_of_windows_are_kept(python: Path, file: Path) -> None:
    file.write_bytes(b"# \xff\r\nSEED=1\r\nDETERMINISM=off")
    done = set_default(python, file, "SEED=2", "SEED_INIT_LOG=debug")
    assert done.returncode == 0, done
    assert file.read_bytes() == b"# \xff\r\nSEED=2\r\nDETERMINISM=off\nSEED_INIT_LOG=debug\n"


def test_what_it_writes_is_what_every_python_reads(fresh: Callable[[str], Path]) -> None:
    python = fresh("hooked")
    path = write_defaults(python.parent.parent, IMAGE)
    assert set_default(python, path, "SEED=7", "DETERMINISM=strict").returncode == 0
    code = "from seed_init.hook import startup as s; print(s.values, s.origins['SEED'])"
    assert output(python, "-c", code) == f"{{'SEED': '7', 'DETERMINISM': 'strict'}} {path}:4"


# --- which file -----------------------------------------------------------------------------


def test_the_file_that_this_python_reads_is_chosen(fresh: Callable[[str], Path]) -> None:
    python = fresh("hooked")
    path = write_defaults(python.parent.parent, IMAGE)
    assert chosen(python) == path


def test_without_a_file_a_virtual_environment_gets_its_own_and_any_other_python_the_machines(
    python: Path, tmp_path: Path
) -> None:
    if SHARED.exists():
        pytest.skip(f"this machine has {SHARED}")
    output(python, "-m", "venv", "--without-pip", tmp_path / "venv")
    assert chosen(tmp_path / "venv/bin/python") == tmp_path / "venv/etc/seed_init/defaults"
    assert chosen(python) == SHARED


def test_a_new_file_can_be_read_by_every_user_whatever_the_umask(
    python: Path, tmp_path: Path
) -> None:
    path = tmp_path / "etc/seed_init/defaults"
    command = f"umask 077; exec '{python}' -m seed_init set-default --file '{path}' SEED=7"
    library = {"LD_LIBRARY_PATH": str(python.parent.parent / "lib")}
    assert output("/bin/sh", "-c", command, env=library) == f"{path}: SEED unset -> 7"
    assert path.read_text() == "SEED=7\n"
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, path.parent.parent)]
    assert modes == [0o644, 0o755, 0o755], "a user who cannot read it is refused every Python"


def test_a_link_is_followed_and_mode_and_owner_stay(python: Path, file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file.name)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1000, 7)
    before = file.stat()
    assert set_default(python, link, "SEED=7").returncode == 0
    after = file.stat()
    assert link.is_symlink() and file.read_text() == IMAGE.replace("42", "7")
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid
    )  # fmt: skip


# --- what it refuses ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ACCEPTED if name != "SEED_INIT"])
def test_a_value_is_refused_with_the_contracts_own_words(
    python: Path, file: Path, name: str
) -> None:
    expected = f"{name}='banana' is not accepted; use {ACCEPTED[name]}"
    assert refused(python, file, "SEED_INIT_TRACE=/t", f"{name}=banana") == expected


def test_a_name_that_is_not_in_the_contract_is_refused_naming_those_that_are(
    python: Path, file: Path
) -> None:
    line = refused(python, file, "SEEED=7")
    assert line.startswith("'SEEED' is not accepted as a name; use SEED, DETERMINISM, ")
    names = output(python, "-c", "from seed_init.hook.startup import ACCEPTED; print(*ACCEPTED)")
    assert all(name in line for name in names.split())
    assert refused(python, file, "=7").startswith("'' is not accepted as a name; use SEED, ")


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_seed_init_belongs_in_the_environment(python: Path, file: Path, value: str) -> None:
    assert refused(python, file, f"SEED_INIT={value}") == (
        "SEED_INIT is not accepted in a defaults file, because it holds before one is read; "
        "set it in the environment"
    )


def test_a_value_of_two_lines_cannot_bring_a_line_in(python: Path, file: Path) -> None:
    assert refused(python, file, "SEED_INIT_TRACE=/t\nSEED=7") == (
        r"SEED_INIT_TRACE='/t\nSEED=7' is not accepted; use a value of one line or leave it unset"
    )


def test_two_values_for_one_name_are_refused(python: Path, file: Path) -> None:
    assert refused(python, file, "SEED=1", "SEED=2") == "SEED is given twice; give it once"


NOT_TOGETHER = (
    "under DETERMINISM=strict CUBLAS_WORKSPACE_CONFIG=':1:1' is not accepted; use :4096:8 or :16:8"
)


def test_what_is_refused_together_is_refused_with_what_the_file_has(
    python: Path, file: Path
) -> None:
    assert refused(python, file, "DETERMINISM=strict", "CUBLAS_WORKSPACE_CONFIG=:1:1") == (
        NOT_TOGETHER
    )
    file.write_text("CUBLAS_WORKSPACE_CONFIG=:1:1\n")
    assert refused(python, file, "DETERMINISM=strict") == NOT_TOGETHER
    done = set_default(python, file, "DETERMINISM=strict", "CUBLAS_WORKSPACE_CONFIG=")
    assert (done.returncode, file.read_text()) == (0, "DETERMINISM=strict\n")


@pytest.mark.parametrize(
    "line", ["SEED", "SED=42", "SED=", "=42", "SEED_INIT=0", "SEED=-1", "é\N{SEEDLING}"]
)
def test_a_file_that_is_broken_is_refused_as_every_python_refuses_it(
    fresh: Callable[[str], Path], line: str
) -> None:
    python = fresh("hooked")
    path = write_defaults(python.parent.parent, f"# first\n{line}\nSEED_INIT_LOG=info\n")
    every = run(python, "-c", PROGRAM)
    assert every.returncode == 78
    done = set_default(python, path, "DETERMINISM=off", SEED_INIT="0")
    assert (done.stderr, done.stdout, done.returncode) == (every.stderr, "", 78)
    assert path.read_text() == f"# first\n{line}\nSEED_INIT_LOG=info\n"


def test_the_name_whose_value_is_broken_can_be_repaired(fresh: Callable[[str], Path]) -> None:
    python = fresh("hooked")
    path = write_defaults(python.parent.parent, "# first\nSEED=seven\n")
    assert set_default(python, path, "SEED=7").returncode == 78  # as any Python
    done = set_default(python, path, "SEED=7", SEED_INIT="0")
    assert (done.stdout, done.stderr) == (f"{path}: SEED seven -> 7\n", "")
    assert output(python, "-c", PROGRAM) == "user code ran"


def test_a_file_never_grows_longer_than_every_python_reads(python: Path, file: Path) -> None:
    file.write_text("#" * 65530 + "\n")
    assert refused(python, file, "SEED=12345") == (
        f"{file} would be longer than 65536 bytes; shorten it"
    )
    file.write_text("#" * 65537)
    assert refused(python, file, "SEED=7") == (
        f"cannot read {file}: longer than 65536 bytes; repair or remove it"
    )


def test_what_is_no_file_is_not_replaced_by_one(python: Path, tmp_path: Path) -> None:
    """/dev/null, mounted over a file to hide it, is met in practice. A pipe, because a test that
    fails must not take the machine's device away."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, why in ((tmp_path, "Is a directory"), (pipe, "Not a regular file")):
        done = set_default(python, path, "SEED=7")
        expected = f"seed_init: cannot read {path}: {why}; repair or remove it\n"
        assert (done.stderr, done.stdout, done.returncode) == (expected, "", 78)
    assert pipe.is_fifo()


@pytest.mark.parametrize("words", [(), ("SEED",), ("SEED=7", "--nonsense")])
def test_bad_usage_is_one_line_and_status_2(
    python: Path, file: Path, words: tuple[str, ...]
) -> None:
    done = set_default(python, file, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "--help" in done.stderr


# --- whole or not at all --------------------------------------------------------------------


def test_a_user_who_may_not_write_it_is_told_to_be_root(
    public: Path, nobody: tuple[str, ...]
) -> None:
    path = write_defaults(public.parent.parent, IMAGE)
    path.chmod(0o666)  # the folder is what counts: the file is replaced
    path.parent.chmod(0o555)
    library = {"LD_LIBRARY_PATH": str(public.parent.parent / "lib")}
    words = ("-m", "seed_init", "set-default", "--file", path, "SEED=7")
    done = run(*nobody, public, *words, env=library)
    path.parent.chmod(0o755)
    expected = (
        f"seed-init set-default: cannot write {path}: Permission denied; "
        "do it as root (USER root in a Dockerfile)\n"
    )
    assert (done.stderr, done.stdout, done.returncode) == (expected, "", 1)
    assert path.read_text() == IMAGE and [*path.parent.iterdir()] == [path]


LIMITED = """
import resource, signal, sys
from seed_init.cli import main
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
sys.exit(main(["set-default", "--file", sys.argv[2], "SEED=7"]))
"""
"""Set a default where no file may get longer than 64 bytes. The signal that says so makes the
write fail with "File too large" if it is ignored (SIG_IGN), and kills the process in the middle
of it if it is not (SIG_DFL)."""


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    python: Path, file: Path
) -> None:
    file.write_text(IMAGE + "#" * 100 + "\n")
    before = file.read_text()
    done = run(python, "-B", "-c", LIMITED, "SIG_IGN", file)
    expected = f"seed-init set-default: cannot write {file}: File too large\n"
    assert (done.stderr, done.stdout, done.returncode) == (expected, "", 1)
    assert file.read_text() == before and [*file.parent.iterdir()] == [file]


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file(
    python: Path, file: Path
) -> None:
    file.write_text(IMAGE + "#" * 100 + "\n")
    before = file.read_text()
    done = run(python, "-B", "-c", LIMITED, "SIG_DFL", file)
    assert done.returncode == -signal.SIGXFSZ, done
    assert file.read_text() == before


def test_a_mounted_file_that_cannot_be_replaced_is_named(
    public: Path, file: Path, nobody: tuple[str, ...]
) -> None:
    if not nobody or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("needs root and mount namespaces")
    path = write_defaults(public.parent.parent, "")
    command = f"exec '{public}' -m seed_init set-default --file '{path}' SEED=7"
    script = f"mount --bind '{file}' '{path}' && {command}"
    library = {"LD_LIBRARY_PATH": str(public.parent.parent / "lib")}
    done = run("unshare", "-m", "/bin/sh", "-c", script, env=library)
    expected = f"seed-init set-default: cannot write {path}: Device or resource busy\n"
    assert (done.stderr, done.stdout, done.returncode) == (expected, "", 1)
    assert file.read_text() == IMAGE and [*path.parent.iterdir()] == [path]
