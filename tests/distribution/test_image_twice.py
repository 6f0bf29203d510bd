"""What is said to differ between two builds of an image; tests/image/test_image_twice.py builds."""

import io
import tarfile
from pathlib import Path

import pytest

from tools import image_contents, image_twice
from tools.image_twice import Difference, Engine, Image, compare_layers, report

OLD = Engine("an old engine", rewrites=False)
NEW = Engine("a new engine", rewrites=True)


def layer(file: Path, members: dict[str, bytes], **fields: object) -> Path:
    """Write a layer; `fields` are those of every member."""
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(content))
    return file


def differences(tmp_path: Path, left: dict, right: dict, **fields: object) -> list[str]:
    one = layer(tmp_path / "one.tar", left)
    other = layer(tmp_path / "other.tar", right, **fields)
    return [str(each) for each in compare_layers(one, other)]


def test_equal_layers_differ_in_nothing(tmp_path: Path) -> None:
    assert differences(tmp_path, {"etc/a": b"1"}, {"etc/a": b"1"}) == []


@pytest.mark.parametrize(
    ("left", "right", "fields", "line"),
    [
        ({"a": b"x\n1\n"}, {"a": b"x\n2\n"}, {}, "/a: content, line 2: '1' and '2'"),
        ({"a": b"x\n"}, {"a": b"x\ny\n"}, {}, "/a: content, line 2: '' and 'y'"),
        ({"a": b"x"}, {"a": b"x\n"}, {}, "/a: content, line 2: '(the end)' and ''"),
        (
            {"a": b"\0xy"},
            {"a": b"\0xzz"},
            {},
            "/a: content, from byte 2 on (3 and 4 bytes)",
        ),
        ({"a": b""}, {"a": b""}, {"mode": 0o600}, "/a: mode 0o644 and 0o600"),
        ({"a": b""}, {"a": b""}, {"uid": 7}, "/a: uid 0 and 7"),
        ({"a": b""}, {"a": b""}, {"mtime": 7}, "/a: time"),
        (
            {"a": b""},
            {"a": b""},
            {"type": tarfile.SYMTYPE, "linkname": "b"},
            "/a: type b'0' and b'2', linkname '' and 'b'",
        ),
        ({"a": b"", "b": b""}, {"a": b""}, {}, "/b: only in the first build"),
        ({"a": b""}, {"a": b"", "b": b""}, {}, "/b: only in the second build"),
        (
            {"a": b"", "b": b""},
            {"b": b"", "a": b""},
            {},
            "/a: the order of the files differs from here on",
        ),
    ],
)
def test_what_differs_is_named_with_its_file(
    tmp_path: Path, left: dict, right: dict, fields: dict, line: str
) -> None:
    assert differences(tmp_path, left, right, **fields) == [line]


def test_a_file_that_is_no_layer_is_named(tmp_path: Path) -> None:
    file = tmp_path / "one.tar"
    file.write_text("no tar")
    with pytest.raises(image_twice.Failed, match=r"one\.tar or one\.tar is not a layer"):
        compare_layers(file, file)


# --- the verdict ------------------------------------------------------------------------------


class Made(Image):
    """An image whose layers are files at hand."""

    def __init__(self, layers: list[Path], **configuration: object) -> None:
        self.files = layers
        self.digests = [file.read_bytes().hex() for file in layers]
        history = [{"created_by": f"RUN step {number}"} for number, _ in enumerate(layers)]
        self.configuration = {"history": history, "created": "now", **configuration}

    def extract(self, place: int, target: Path) -> Path:
        return self.files[place]


@pytest.fixture
def built(tmp_path: Path):
    """Makes an image of one layer with one file."""

    def make(name: str, content: bytes = b"1", time: int = 0, **configuration: object) -> Made:
        return Made([layer(tmp_path / name, {"f": content}, mtime=time)], **configuration)

    return make


def test_equal_images_pass_and_say_how_many_layers_were_compared(built, tmp_path, capsys) -> None:
    assert report("ssh", built("a"), built("b"), NEW, tmp_path) == image_twice.SAME
    assert capsys.readouterr().out.startswith("ssh: the same: 1 layers")


def test_times_alone_are_unproven_where_the_engine_cannot_set_them(built, tmp_path, capsys) -> None:
    one, other = built("a"), built("b", time=7, created="later")
    assert report("ssh", one, other, OLD, tmp_path) == image_twice.UNPROVEN
    out = capsys.readouterr().out
    assert out.startswith("ssh: unproven: 1 of 1 layers differ, in nothing but times, which an old")
    assert "0.13" in out


def test_times_alone_fail_where_the_engine_can_set_them(built, tmp_path, capsys) -> None:
    assert report("ssh", built("a"), built("b", time=7), NEW, tmp_path) == image_twice.DIFFER
    assert "ssh: differs: RUN step 0\n  /f: time\n" in capsys.readouterr().out


@pytest.mark.parametrize("using", [OLD, NEW], ids=lambda engine: engine.name)
def test_another_content_fails_everywhere(built, tmp_path, capsys, using: Engine) -> None:
    assert report("ssh", built("a"), built("b", b"2"), using, tmp_path) == image_twice.DIFFER
    assert "  /f: content, line 1: '1' and '2'\n" in capsys.readouterr().out


@pytest.mark.parametrize("using", [OLD, NEW], ids=lambda engine: engine.name)
def test_another_configuration_fails_everywhere(built, tmp_path, capsys, using: Engine) -> None:
    one, other = built("a", config={"Env": ["A=1"]}), built("b", config={"Env": ["A=2"]})
    assert report("ssh", one, other, using, tmp_path) == image_twice.DIFFER
    assert "ssh: differs: the configuration\n  /config: differs\n" in capsys.readouterr().out


def test_images_of_different_heights_are_not_compared(built, tmp_path) -> None:
    one, other = built("a"), built("b")
    other.digests = other.digests * 2
    with pytest.raises(image_twice.Failed, match="one build has 1 layers, the other 2"):
        report("ssh", one, other, NEW, tmp_path)


def test_a_difference_of_many_files_is_counted(tmp_path: Path, capsys) -> None:
    many = {f"f{number}": b"1" for number in range(image_twice.SHOWN + 3)}
    one = Made([layer(tmp_path / "a", many)])
    other = Made([layer(tmp_path / "b", dict.fromkeys(many, b"2"))])
    report("ssh", one, other, NEW, tmp_path)
    assert capsys.readouterr().out.endswith("  and 3 more\n")


@pytest.mark.parametrize(
    ("created_by", "words"),
    [
        (
            "RUN |2 A=1 B=x /bin/bash -euo pipefail -c make   it # buildkit",
            "RUN make it # buildkit",
        ),
        ("RUN /bin/sh -c make it", "RUN make it"),
        ("COPY a /b", "COPY a /b"),
    ],
)
def test_a_step_is_named_in_the_words_of_the_dockerfile(
    tmp_path: Path, created_by: str, words: str
) -> None:
    image = Made([layer(tmp_path / "a", {})], history=[{"created_by": created_by}])
    assert image.step(0) == words
    assert image_contents.step(created_by) == words


def test_a_difference_says_its_path_from_the_root() -> None:
    assert str(Difference("etc/passwd", "time")) == "/etc/passwd: time"
