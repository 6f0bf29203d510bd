"""Every version that a file cannot read from `versions.env` is the one in `versions.env`.

After a change of that file, the failures of this test are the list of what else has to change.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import seed_init
from harness.repository import REPOSITORY, files
from harness.versions import pinned

PINNED = pinned()
TORCH, CUDA, CUDNN = (PINNED[f"PINNED_{name}"] for name in ("TORCH", "CUDA", "CUDNN"))
BASE = f"pytorch/pytorch:{TORCH}-cuda{CUDA}-cudnn{CUDNN}-runtime"

SAME_ELSEWHERE = (
    ("Dockerfile", "ARG EXPECT_TORCH=(.+)", TORCH),
    ("Dockerfile", "ARG EXPECT_CUDA=(.+)", CUDA),
    ("Dockerfile", "ARG EXPECT_CUDNN=(.+)", CUDNN),
    ("Dockerfile", "ARG BASE_DIGEST=(.+)", PINNED["PINNED_DIGEST"]),
    ("Dockerfile", r"ARG BASE_IMAGE=(.+)@\$\{BASE_DIGEST\}", BASE),
    ("Dockerfile", "ARG VERSION=(.+)", seed_init.__version__),
    ("requirements/torch.in", "torch==(.+)", TORCH),
    ("requirements/torch.in", "numpy==(.+)", PINNED["PINNED_NUMPY"]),
    ("requirements/torch.txt", r"torch==(\S+) \\", TORCH),
    ("requirements/torch.txt", r"numpy==(\S+) \\", PINNED["PINNED_NUMPY"]),
    ("requirements/torch-cpu.txt", r"numpy==(\S+) \\", PINNED["PINNED_NUMPY"]),
    ("requirements/peers.txt", r"numpy==(\S+) \\", PINNED["PINNED_NUMPY"]),
    ("requirements/constraints.txt", "torch==(.+)", TORCH),
    ("requirements/constraints.txt", "numpy==(.+)", PINNED["PINNED_NUMPY"]),
    ("tests/standin/requirements.txt", "torch==(.+)", TORCH),
    ("tests/standin/requirements.txt", "numpy==(.+)", PINNED["PINNED_NUMPY"]),
    ("tests/standin/Dockerfile", r" *PYTORCH_VERSION=(\S+)", TORCH),
)
"""File, the whole line as a regular expression with one group, and what the group has to be."""


@pytest.mark.parametrize(("file", "line", "expected"), SAME_ELSEWHERE)
def test_a_version_that_a_file_has_to_repeat_is_the_pinned_one(
    file: str, line: str, expected: str
) -> None:
    found = re.findall(f"^{line}$", (REPOSITORY / file).read_text(), re.M)
    assert found == [expected], f"{file} and versions.env do not agree"


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every file of the repository that git tracks or would."""
    for name in files():
        yield name, (REPOSITORY / name).read_text(errors="replace")


def test_no_file_names_another_image_than_the_pinned_one() -> None:
    tag = re.compile(r"\b\d+\.\d+\.\d+-cuda\d+(?:\.\d+)*-cudnn\d+\b")
    mine = PINNED["IMAGE_TAG"].partition(":")[2]
    found = {(name, each) for name, text in texts() for each in tag.findall(text)}
    # Those that cannot read the file; if the pattern found nothing, the test would say nothing.
    assert {"Dockerfile", "docker-compose.yml", "docs/how-to/run.md"} <= {name for name, _ in found}
    assert {(name, each) for name, each in found if each != mine} == set()


def test_what_can_read_the_versions_does_not_repeat_them() -> None:
    readers = (
        *("Makefile", "tools/", ".ci/", "benchmarks/image.py"),
        *("tests/standin/build.sh", "tests/image/building.py"),
    )
    repeated = [
        (name, line)
        for name, text in texts()
        if name.startswith(readers)
        for line in text.splitlines()
        if re.search(
            rf"\b{re.escape(TORCH)}\b|cuda{re.escape(CUDA)}|\"{re.escape(CUDA)}\"|cu118", line
        )
    ]
    assert repeated == []


def test_the_readme_names_the_pinned_torch_and_cuda() -> None:
    assert f"PyTorch {TORCH} (CUDA {CUDA})" in (REPOSITORY / "README.md").read_text()


def test_a_shell_and_make_read_what_python_reads(tmp_path: Path) -> None:
    names = list(PINNED)
    show = "\n".join(f'echo "${{{name}}}"' for name in names)
    shell = subprocess.run(
        ["bash", "-euc", f"source ./versions.env\n{show}"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    makefile = tmp_path / "Makefile"
    lines = "\n".join(f"\t@echo '$({name})'" for name in names)
    makefile.write_text(f"include versions.env\nall:\n{lines}\n")
    make = subprocess.run(
        ["make", "--no-print-directory", "-f", makefile],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    expected = list(PINNED.values())
    assert shell.stdout.splitlines() == make.stdout.splitlines() == expected
