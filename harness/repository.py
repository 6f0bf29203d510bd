"""The files of this repository."""

import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
"""The top of this repository."""


def files(*patterns: str) -> list[str]:
    """List the files that git tracks or would track, as they are now.

    Args:
        patterns: of git, such as "*.md"; without any, all files.

    Returns:
        Paths relative to the top of the repository; a file that is deleted is not among them.

    Raises:
        subprocess.CalledProcessError: this is no checkout of git.
    """
    words = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns)
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    names = dict.fromkeys(done.stdout.split("\0"))  # while a merge is open, git names a file twice
    return [name for name in names if (REPOSITORY / name).is_file()]


def copy_files(folder: Path) -> None:
    """Copy what `files` lists into a folder."""
    for name in files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, target)
