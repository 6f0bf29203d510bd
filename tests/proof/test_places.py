"""Where the runs of `verify --resume-after` work: nothing of the user's is changed."""

from pathlib import Path

import pytest

from harness.processes import run
from seed_init.proof.running import places
from seed_init.proof.running.commands import CannotStart


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """A working directory with what people have there."""
    directory = tmp_path / "project"
    (directory / "package").mkdir(parents=True)
    (directory / "train.py").write_text("print('train')\n")
    (directory / "train.py").chmod(0o755)
    (directory / "package/data.txt").write_text("data")
    (directory / "inside").symlink_to("package/data.txt")
    (directory / ".git").mkdir()
    (directory / ".venv/bin").mkdir(parents=True)
    (directory / ".venv/pyvenv.cfg").touch()
    return directory


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The empty directory of a run."""
    directory = tmp_path / "own"
    directory.mkdir()
    return directory


def contents(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_text() for path in files}


def test_a_run_works_in_a_copy_and_leaves_the_directory_as_it_was(cwd: Path, own: Path) -> None:
    before = contents(cwd)
    place = places.made(own, cwd, is_copied=True)
    assert place.cwd.name == cwd.name
    assert place.notes == ()
    (place.cwd / "train.py").write_text("other")
    (place.cwd / "package/data.txt").unlink()
    (place.cwd / "inside").unlink()
    (place.cwd / "checkpoint.pt").touch()
    assert contents(cwd) == before


def test_a_copy_has_the_modes_and_links_but_no_history(cwd: Path, own: Path) -> None:
    copy = places.made(own, cwd, is_copied=True).cwd
    assert (copy / "train.py").stat().st_mode & 0o777 == 0o755
    assert (copy / "inside").readlink() == Path("package/data.txt")
    assert not (copy / ".git").exists()


def test_a_virtual_environment_is_no_copy(cwd: Path, own: Path) -> None:
    copy = places.made(own, cwd, is_copied=True).cwd
    assert (copy / ".venv").readlink() == cwd / ".venv"


def test_a_link_that_leads_out_leads_to_the_same_place_and_is_named(
    cwd: Path, own: Path, tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    (cwd / "runs").symlink_to("../scratch")
    place = places.made(own, cwd, is_copied=True)
    assert (place.cwd / "runs").resolve() == (tmp_path / "scratch").resolve()
    (note,) = place.notes
    assert note.startswith("runs leads out of this directory and is no copy")


def test_a_link_within_the_directory_leads_into_the_copy_however_it_is_written(
    cwd: Path, own: Path
) -> None:
    """Otherwise a run would go on from the user's own checkpoints, and write over them."""
    (cwd / "real").mkdir()
    (cwd / "real/last.pt").write_text("the user's")
    (cwd / "absolute").symlink_to(cwd / "real")
    (cwd / "package/last.pt").symlink_to(cwd / "real/last.pt")
    (cwd / "roundabout").symlink_to(f"../{cwd.name}/real")
    place = places.made(own, cwd, is_copied=True)
    for name in ("absolute/last.pt", "package/last.pt", "roundabout/last.pt"):
        (place.cwd / name).write_text("the run's")
    assert (cwd / "real/last.pt").read_text() == "the user's"
    assert (place.cwd / "real/last.pt").read_text() == "the run's"
    assert place.notes == ()


def test_what_is_the_users_own_is_told_from_what_is_the_runs(
    cwd: Path, own: Path, tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    (cwd / "runs").symlink_to(tmp_path / "scratch")
    place = places.made(own, cwd, is_copied=True)
    assert place.is_shared(cwd / "last.pt")
    assert place.is_shared(place.cwd / "runs/last.pt")
    assert not place.is_shared(place.cwd / "last.pt")
    assert not place.is_shared(tmp_path / "cache/x")


def test_a_copy_has_no_copy_of_itself(cwd: Path) -> None:
    """As where TMPDIR is below the working directory."""
    own = cwd / "tmp/seed-init-0-0"
    own.mkdir(parents=True)
    (cwd / "tmp/seed-init-0-verify-abcdefgh").mkdir()
    (cwd / "tmp/mine").touch()
    copy = places.made(own, cwd, is_copied=True).cwd
    assert [path.name for path in (copy / "tmp").iterdir()] == ["mine"]
    assert (copy / "train.py").is_file()


@pytest.mark.parametrize(
    ("command", "resume", "said"),
    [
        (["a", "{dir}"], ["b"], "{dir} is in the command and not in --resume-command"),
        (["a"], ["b", "--to={dir}"], "{dir} is in --resume-command and not in the command"),
    ],
)
def test_a_word_that_only_one_of_two_commands_has_is_refused(
    command: list[str], resume: list[str], said: str
) -> None:
    with pytest.raises(CannotStart) as refused:
        places.refuse_half_named(command, resume)
    assert str(refused.value).startswith(said)
    places.refuse_half_named(command, [])
    places.refuse_half_named([*command, "{dir}"], [*resume, "{dir}"])


def test_the_word_stands_for_an_empty_directory_and_the_run_works_where_the_user_is(
    cwd: Path, own: Path
) -> None:
    place = places.made(own, cwd, is_copied=False)
    assert place.cwd == cwd
    assert list(place.directory.iterdir()) == []
    words = place.words(["train.py", "--out={dir}/last.pt", "{dirty}"])
    assert words == ("train.py", f"--out={place.directory}/last.pt", "{dirty}")


def test_pwd_is_that_of_the_run(cwd: Path, own: Path) -> None:
    place = places.made(own, cwd, is_copied=True)
    assert place.environment({"PWD": str(cwd), "A": "1"}) == {"PWD": str(place.cwd), "A": "1"}
    assert place.environment({"A": "1"}) == {"A": "1"}


@pytest.mark.parametrize(("name", "most"), [("MOST_FILES", 2), ("MOST_BYTES", 3)])
def test_a_directory_that_is_too_large_is_refused_before_anything_is_copied(
    cwd: Path, own: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(places, name, most)
    with pytest.raises(
        CannotStart, match=r"this directory has more than .*write \{dir\} in the com"
    ):
        places.made(own, cwd, is_copied=True)
    assert [path.name for path in own.iterdir()] == ["dir"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kill", "KILL"], "--kill needs --resume-after with a number of steps"),
        (["--resume-command", "true"], "--resume-command needs --resume-after with a number"),
        (["--resume-after", "3", "--portable"], "--portable does not go with --resume-after"),
        (["--resume-after", "3", "--runs", "4"], "--runs does not go with --resume-after"),
        (["--resume-after", "0"], "'0' is not a whole number from 1 on"),
        (["--resume-after", "3", "--resume-command", "a 'b"], "is no command (No closing quota"),
        (["--resume-after", "3", "--kill", "HUP"], "invalid choice: 'HUP'"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    python: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    done = run(python, "-m", "seed_init", "verify", *words, "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_a_command_that_trains_nothing_has_nothing_to_resume(python: Path, tmp_path: Path) -> None:
    words = ("-m", "seed_init", "verify", "--resume-after", "3", "--")
    done = run(python, *words, python, "-c", "open('made', 'w')", env={"SEED": "7"}, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith("FAILED: the whole run made no optimizer step")
    shell = run(python, *words, "sh", "-c", "echo > made", cwd=tmp_path)
    assert shell.returncode == 2
    assert shell.stdout.startswith("FAILED: nothing was seen of the command: no Python of this")
    # It ran, and not here.
    assert list(tmp_path.iterdir()) == []
