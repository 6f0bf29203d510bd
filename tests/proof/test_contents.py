"""Files that runs have written: tensors by content, everything else by bytes."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seed_init.proof.comparing import written_files

SAVE = """
import sys, torch

def content(change):
    return {
        "model": {
            "weight": torch.arange(12.0).view(3, 4).t() + change,
            "half": torch.ones(3, dtype=torch.bfloat16),
            "sparse": torch.eye(3).to_sparse() * (1 + change),
            "conjugate": torch.full((2,), 1 + 1j + change).conj(),
            "empty": torch.empty(0, 2),
            "flags": torch.tensor([True, False]),
        },
        "epoch": 3 + change,
        "a.b": 1, "a": {"b": 2},
    }

class Mine:
    pass

def refused(change):
    mine = Mine()
    mine.change = change
    return {"mine": mine, "weight": torch.ones(2)}

for number, change in enumerate((0, 0, 1)):
    torch.save(content(change), f"{number}.pt")
    torch.save(refused(change), f"mine-{number}.pt")
torch.save(content(0), "former.pth", _use_new_zipfile_serialization=False)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> written_files.Digests:
    """The digests of what SAVE writes: importing torch takes longer than all else here."""
    place = tmp_path_factory.mktemp("saved")
    environment = {**os.environ, "SEED_INIT": "0"}
    subprocess.run([sys.executable, "-c", SAVE], check=True, cwd=place, env=environment)
    assert (place / "0.pt").read_bytes() != (place / "former.pth").read_bytes()
    return written_files.digest_files(["*.pt", "*.pth"], place)


def differ(first: dict[str, str], second: dict[str, str]) -> written_files.FileDifference | None:
    return written_files.first_difference({"a.pt": first}, {"a.pt": second})


@pytest.mark.torch
def test_a_checkpoint_is_compared_by_its_tensors_and_values(saved: written_files.Digests) -> None:
    entries = saved["0.pt"]
    assert entries["model.weight"].startswith("tensor float32 [4,3] ")
    assert entries["model.half"].startswith("tensor bfloat16 [3] ")
    assert entries["model.sparse"].startswith("tensor float32/sparse_coo [3,3] ")
    assert entries["epoch"] == "value int [] 3"
    assert (entries["a.b"], entries["a.b'"]) == ("value int [] 1", "value int [] 2")
    assert differ(entries, saved["1.pt"]) is None
    found = differ(entries, saved["2.pt"])
    assert found is not None and (found.entry, found.what) == ("model.weight", "values")
    others = {name for name in entries if entries[name] != saved["2.pt"][name]}
    assert others == {"model.weight", "model.sparse", "model.conjugate", "epoch"}


@pytest.mark.torch
def test_the_same_tensors_in_archives_of_other_bytes_are_the_same(
    saved: written_files.Digests,
) -> None:
    """Written in the format that torch had before it wrote zip archives."""
    assert differ(saved["0.pt"], saved["former.pth"]) is None


@pytest.mark.torch
def test_a_checkpoint_that_torch_refuses_is_compared_by_its_members(
    saved: written_files.Digests,
) -> None:
    """weights_only refuses a class of the user's, which only running it could load."""
    kinds = {entry.split(" ")[0] for entry in saved["mine-0.pt"].values()}
    assert kinds == {"member"}
    # The names of the archives differ, which torch writes before each member's.
    assert differ(saved["mine-0.pt"], saved["mine-1.pt"]) is None
    found = differ(saved["mine-0.pt"], saved["mine-2.pt"])
    assert found is not None and (found.entry, found.what) == ("data.pkl", "values")


def test_without_torch_a_checkpoint_is_compared_by_its_members_whatever_their_times(
    tmp_path: Path,
) -> None:
    digests = []
    for year in (1990, 2020):
        with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
            archive.writestr(zipfile.ZipInfo("model/data/0", (year, 1, 1, 0, 0, 0)), b"1234")
        digests.append(written_files.digest_files(["model.pt"], tmp_path, python="/bin/false"))
    assert list(digests[0]["model.pt"]) == ["data/0"]
    assert digests[0] == digests[1]


def test_arrays_are_compared_by_type_shape_and_values_whatever_their_order(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    for dtype in ("<f4", "<f8", "<c16", "|u1", "<U3", "|b1"):
        array = numpy.arange(24).reshape(2, 3, 4).astype(dtype)
        numpy.save(tmp_path / "c.npy", array)
        numpy.save(tmp_path / "f.npy", numpy.asfortranarray(array))
        numpy.savez_compressed(tmp_path / "z.npz", x=array, y=array[:, ::-1])
        assert (tmp_path / "c.npy").read_bytes() != (tmp_path / "f.npy").read_bytes()
        found = written_files.digest_files(["*.np?"], tmp_path)
        assert found["c.npy"][""].startswith(f"tensor {array.dtype.str} [2,3,4] ")
        assert found["c.npy"][""] == found["f.npy"][""] == found["z.npz"]["x"]
        assert found["z.npz"]["y"] != found["z.npz"]["x"]


def test_what_differs_is_named_shape_before_values_and_type_before_shape(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")

    def digests(array: object) -> written_files.Digests:
        numpy.save(tmp_path / "a.npy", array)
        return written_files.digest_files(["a.npy"], tmp_path)

    base = digests(numpy.zeros((2, 3)))
    for array, what, values in (
        (numpy.zeros((2, 3), "f4"), "dtype", ("<f8", "<f4")),
        (numpy.zeros((3, 2)), "shape", ("[2,3]", "[3,2]")),
        (numpy.ones((2, 3)), "values", None),
    ):
        found = written_files.first_difference(base, digests(array))
        assert found is not None and found.what == what
        assert values is None or found.values == values


def write_safetensors(file: Path, order: list[str], metadata: dict[str, str], value: int) -> None:
    header: dict[str, object] = {"__metadata__": metadata}
    data = b""
    for name in order:
        piece = bytes([value if name == "b" else 0]) * 8
        offsets = [len(data), len(data) + len(piece)]
        header[name] = {"dtype": "F32", "shape": [2], "data_offsets": offsets}
        data += piece
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_safetensors_are_compared_by_tensor_and_their_metadata_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    write_safetensors(file, ["a", "b"], {"when": "now"}, 1)
    base = written_files.digest_files(["a.*"], tmp_path)
    assert base["a.safetensors"]["b"].startswith("tensor F32 [2] ")
    write_safetensors(file, ["b", "a"], {"when": "now"}, 1)
    assert (
        written_files.first_difference(base, written_files.digest_files(["a.*"], tmp_path)) is None
    )
    write_safetensors(file, ["a", "b"], {"when": "then"}, 1)
    found = written_files.first_difference(base, written_files.digest_files(["a.*"], tmp_path))
    assert found is not None and found.entry == "__metadata__"
    write_safetensors(file, ["a", "b"], {"when": "now"}, 2)
    found = written_files.first_difference(base, written_files.digest_files(["a.*"], tmp_path))
    assert found is not None and (found.entry, found.what) == ("b", "values")


def test_safetensors_as_the_library_writes_them_are_read(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    numpy = pytest.importorskip("numpy")
    safetensors.save_file({"x": numpy.arange(6.0).reshape(2, 3)}, tmp_path / "x.safetensors")
    found = written_files.digest_files(["x.safetensors"], tmp_path)
    assert found["x.safetensors"]["x"].startswith("tensor F64 [2,3] ")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.pt", "a.bin"])
@pytest.mark.parametrize("content", [b"", b"no such thing", b"\x93NUMPY\x01\0", b"\xff" * 40])
def test_a_file_that_is_not_what_its_name_says_is_compared_by_its_bytes(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    entries = written_files.digest_files(["a.*"], tmp_path, python="/bin/false")[name]
    assert list(entries) == [""]
    assert re.fullmatch(rf"(text|bytes) - \[{len(content)}\] [0-9a-f]{{64}}", entries[""])


def test_the_first_different_line_of_a_text_is_named(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    digests = []
    for loss in ("0.5", "0.25"):
        (tmp_path / "log.csv").write_text(f"step,loss\n1,{loss}\n")
        digests.append(written_files.digest_files(["*.csv"], tmp_path, keep=keep))
    found = written_files.first_difference(*digests, keep)
    assert found is not None
    assert (found.file, found.what, found.line) == ("log.csv", "line", 2)
    assert found.as_line() == "log.csv: line 2 (1,0.5 in run 1, 1,0.25 in run 2)"


def test_a_file_that_only_one_run_wrote_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    one = written_files.digest_files(["*"], tmp_path)
    found = written_files.first_difference(one, {})
    assert found is not None
    assert (found.file, found.what, found.values) == ("a", "missing", ("present", "missing"))


def test_patterns_are_relative_or_absolute_and_name_files_in_any_directory(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "deep/er").mkdir(parents=True)
    outside.mkdir()
    for file in (inside / "a.txt", inside / "deep/er/b.txt", outside / "c.txt"):
        file.write_text("")
    found = written_files.digest_files(["**/*.txt", f"{outside}/*", "deep"], inside)
    assert list(found) == sorted([str(outside / "c.txt"), "a.txt", "deep/er/b.txt"])
    assert written_files.unmatched(["*.txt", "deep", "x"], inside) == ["deep", "x"]


def test_what_a_run_found_and_a_former_one_had_written_is_told(tmp_path: Path) -> None:
    def snapshot() -> written_files.Snapshot:
        return written_files.snapshot(tmp_path)

    def run(write: Callable[[], object]) -> tuple[written_files.Snapshot, written_files.Snapshot]:
        before = snapshot()
        write()
        return before, snapshot()

    (tmp_path / "data.csv").write_text("mine")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/x.pyc").write_text("")
    runs = [
        run(lambda: (tmp_path / "last.pt").write_text("step 1")),
        run(lambda: (tmp_path / "last.pt").write_text("step 2")),
        run(lambda: (tmp_path / "other.pt").write_text("")),
    ]
    before, after = [pair[0] for pair in runs], [pair[1] for pair in runs]
    assert written_files.inherited(before, after) == {"last.pt": 0}
    assert [written_files.written(*run) for run in runs] == [{"last.pt"}, {"last.pt"}, {"other.pt"}]


def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    # A regular file whose first byte nobody can read, root included.
    with pytest.raises(
        written_files.Unreadable, match=r"^/proc/self/mem cannot be read .*check its"
    ):
        written_files.digest_files(["/proc/self/mem"], tmp_path)
