"""The commands of the page for Hydra and Optuna run as a reader types them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.docs.pages import page
from tests.docs.test_tutorial import MARK, script, steps

PAGE = "docs/how-to/hydra-and-optuna.md"


def test_every_command_of_the_page_prints_what_is_shown(python: Path, tmp_path: Path) -> None:
    blocks = page(PAGE).code()
    place = tmp_path / "project"
    place.mkdir()
    done = subprocess.run(
        ["bash", "-c", "\n".join(script(blocks))],
        cwd=place,
        env={"PATH": f"{commands(python, tmp_path)}:{os.defpath}", "LANG": "C.UTF-8", "HOME": "/"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stderr == ""
    wanted = [step for block in blocks if block.language == "console" for step in steps(block)]
    printed = re.findall(rf"((?:.*\n)*?)\n{MARK} (\d+)\n", done.stdout)
    for step, (output, status) in zip(wanted, printed):
        assert re.fullmatch(step.pattern(), output), f"{step}\n\nprinted\n\n{output}"
        assert status == "0", f"{step} ended with {status}\n{output}"
    assert len(printed) == len(wanted) > 5


def commands(python: Path, place: Path) -> Path:
    """A directory with `python` and `seed-init`, as an environment has them that is activated."""
    folder = place / "bin"
    folder.mkdir()
    for name, words in (("python", ""), ("seed-init", "-m seed_init")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{python}" {words} "$@"\n')
        (folder / name).chmod(0o755)
    assert shutil.which("seed-init", path=str(folder))
    return folder
