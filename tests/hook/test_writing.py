"""Files are there as a whole or not at all, and never in the place of somebody else's."""

import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seed_init.system import writing

Write = Callable[..., None]

both = pytest.mark.parametrize("write", [writing.replace, writing.create])


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@both
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "new", "text")
    assert ((tmp_path / "new").read_text(), mode(tmp_path / "new")) == ("text", 0o640)
    write(tmp_path / "fixed", b"bytes", mode=0o644)
    assert ((tmp_path / "fixed").read_bytes(), mode(tmp_path / "fixed")) == (b"bytes", 0o644)


def test_a_file_that_is_replaced_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    file.chmod(0o604)
    if os.getuid() == 0:
        os.chown(file, 1234, 5678)
    owner = file.stat().st_uid, file.stat().st_gid
    writing.replace(file, "after", mode=0o777)
    assert (file.read_text(), mode(file)) == ("after", 0o604)
    assert (file.stat().st_uid, file.stat().st_gid) == owner


def test_a_link_is_replaced_and_what_it_leads_to_left_alone(tmp_path: Path) -> None:
    theirs, link = tmp_path / "theirs", tmp_path / "link"
    theirs.write_text("theirs")
    link.symlink_to(theirs)
    writing.replace(link, "ours")
    assert (theirs.read_text(), link.read_text(), link.is_symlink()) == ("theirs", "ours", False)


def test_a_hard_link_to_the_old_file_keeps_the_old_text(tmp_path: Path) -> None:
    theirs, file = tmp_path / "theirs", tmp_path / "file"
    theirs.write_text("theirs")
    file.hardlink_to(theirs)
    writing.replace(file, "ours")
    assert (theirs.read_text(), file.read_text()) == ("theirs", "ours")


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling link", "pipe"])
def test_nothing_that_is_there_is_written_to_where_a_new_file_is_wanted(
    tmp_path: Path, kind: str
) -> None:
    path, theirs = tmp_path / "path", tmp_path / "theirs"
    theirs.write_text("theirs")
    {
        "file": lambda: path.write_text("mine"),
        "directory": path.mkdir,
        "link": lambda: path.symlink_to(theirs),
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
        "pipe": lambda: os.mkfifo(path),
    }[kind]()
    before = path.lstat()
    with pytest.raises(FileExistsError):
        writing.create(path, "ours")
    assert os.path.samestat(before, path.lstat())
    assert theirs.read_text() == "theirs"
    assert sorted(tmp_path.iterdir()) == [path, theirs]


@both
def test_no_name_can_be_prepared(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever guesses the random name all the same: a link that waits there is not followed."""
    theirs, link = tmp_path / "theirs", tmp_path / f".file.{'00' * 8}"
    theirs.write_text("theirs")
    link.symlink_to(theirs)
    monkeypatch.setattr(os, "urandom", bytes)
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", "ours")
    assert (theirs.read_text(), link.is_symlink()) == ("theirs", True)
    assert not (tmp_path / "file").exists()
    monkeypatch.undo()
    write(tmp_path / "file", "ours")


@both
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, write: Write) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2, limits[1]))  # as if the disk were full
    try:
        with pytest.raises(OSError, match="too large"):
            write(tmp_path / "file", "text")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError):
        write(tmp_path / "directory", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


@both
def test_a_name_may_have_as_many_bytes_as_there_are(tmp_path: Path, write: Write) -> None:
    for name in ("x" * 255, "é" * 127):
        write(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"
    with pytest.raises(OSError, match="name too long"):
        write(tmp_path / ("x" * 256), "text")


def test_a_file_system_without_hard_links_overwrites_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as vfat says

    monkeypatch.setattr(os, "link", no_links)
    writing.create(tmp_path / "file", "ours")
    with pytest.raises(FileExistsError):
        writing.create(tmp_path / "file", "again")
    # One that comes in the last moment.
    monkeypatch.setattr(writing, "_status", lambda path: None)
    with pytest.raises(FileExistsError):
        writing.create(tmp_path / "file", "again")
    assert (tmp_path / "file").read_text() == "ours"
    assert mode(tmp_path / "file") == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_of_several_that_want_one_name_exactly_one_gets_it(tmp_path: Path) -> None:
    got: list[int] = []

    def want(number: int) -> None:
        try:
            writing.create(tmp_path / "file", str(number))
        except FileExistsError:
            return
        got.append(number)

    threads = [threading.Thread(target=want, args=(number,)) for number in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (tmp_path / "file").read_text() == str(got[0])
    assert len(got) == len(list(tmp_path.iterdir())) == 1


def test_a_pipe_and_a_descriptor_of_ones_own_are_written_to(tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    writing.replace(pipe, "through")
    reader.join()
    assert (read, pipe.is_fifo()) == (["through"], True)
    # As of `seed-init audit -o /dev/stdout >> file`.
    file.write_text("before\n")
    with file.open("a") as own:
        writing.replace(Path(f"/dev/fd/{own.fileno()}"), "after\n")
    assert file.read_text() == "before\nafter\n"
    with pytest.raises(OSError, match="No space left"):
        writing.replace(Path("/dev/full"), "text")
    assert Path("/dev/full").is_char_device()


def test_texts_that_utf_8_cannot_hold_are_written_as_escapes(tmp_path: Path) -> None:
    writing.create(tmp_path / "file", "\udcff")
    assert (tmp_path / "file").read_bytes() == b"\\udcff"
