"""The tutorial as a reader follows it: every file is saved, every command is run, in one shell.

The commands run in a copy of this repository. Its virtual environment gets its packages from that
of the tests and not from a package index; nothing else differs from what a reader does.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.repository import REPOSITORY, files

from .pages import Code, page

TUTORIAL = "docs/tutorial.md"
GAP = "…"
"""In output that is shown: a line of nothing else stands for any lines; in a line, for any text."""

MARK = "-- end of command"
MAKES_THE_ENVIRONMENT = "python3 -m venv tour"
SITE_PACKAGES = "tour/lib/python3*/site-packages"


@dataclass(frozen=True)
class Step:
    """A command of a page, and the output that the page shows for it."""

    command: str
    shown: tuple[str, ...]

    def pattern(self) -> str:
        """A regular expression for the output."""
        lines = (
            r"(?:.*\n)*" if line == GAP else ".*".join(map(re.escape, line.split(GAP))) + r"\n"
            for line in self.shown
        )
        return "".join(lines) + r"\n*"


def steps(block: Code) -> Iterator[Step]:
    """The commands of a console block; what stands between two of them is output."""
    command = ""
    shown: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(command, tuple(shown))
            command, shown = line[2:], []
        else:
            shown.append(line)
    if command:
        yield Step(command, tuple(shown))


def script(blocks: list[Code]) -> Iterator[str]:
    """The lines of a bash script: each file at its place, each command, a mark after each."""
    yield "exec 2>&1"
    for block in blocks:
        if block.language == "python":
            name = block.text.splitlines()[0].removeprefix("# ")
            yield f"cat > {name} <<'END OF THE FILE'\n{block.text}END OF THE FILE"
        elif block.language == "console":
            for step in steps(block):
                yield step.command
                yield f'printf "\\n{MARK} %s\\n" $?'
                if step.command == MAKES_THE_ENVIRONMENT:
                    # The packages of the tests' environment, setuptools among them.
                    yield f"rm -rf {SITE_PACKAGES}/setuptools*"
                    yield f"echo {sysconfig.get_path('purelib')} > packages.pth"
                    yield f"cp packages.pth {SITE_PACKAGES}/"


def copy_of_the_repository(folder: Path) -> Path:
    for name in files(":!tests", ":!docs/cost"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, target, follow_symlinks=False)
    return folder


def environment() -> dict[str, str]:
    """A reader's, with a pip that asks no package index."""
    base = Path(sys._base_executable).parent  # type: ignore[attr-defined]
    return {
        "PATH": f"{base}:{os.defpath}",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.mark.torch
@pytest.mark.rotating(every=4)  # eight processes import torch, and pip builds the package
def test_every_command_of_the_tutorial_prints_what_is_shown(tmp_path: Path) -> None:
    blocks = page(TUTORIAL).code()
    done = subprocess.run(
        ["bash", "-c", "\n".join(script(blocks))],
        cwd=copy_of_the_repository(tmp_path),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.stderr == ""
    wanted = [step for block in blocks if block.language == "console" for step in steps(block)]
    printed = re.findall(rf"((?:.*\n)*?)\n{MARK} (\d+)\n", done.stdout)
    for step, (output, status) in zip(wanted, printed):
        assert re.fullmatch(step.pattern(), output), f"{step}\n\nprinted\n\n{output}"
        assert status == "0", f"{step} ended with {status}\n{output}"
    assert len(printed) == len(wanted)


def test_the_tutorial_shows_commands_and_files() -> None:
    """What the test above relies on: a page without blocks would pass it."""
    blocks = page(TUTORIAL).code()
    assert {block.language for block in blocks} == {"console", "python"}
    assert len([step for block in blocks for step in steps(block)]) > 15
