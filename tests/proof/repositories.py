"""Repositories of git's for tests, with nothing of the developer's own settings."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

SETTINGS = (
    *("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"),
    *("-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"),
)


def git(place: Path, *words: str) -> str:
    """What git prints; it must succeed."""
    done = subprocess.run(
        ["git", "-C", place, *SETTINGS, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def repository(place: Path, files: Mapping[str, str]) -> Path:
    """Make a repository with one commit."""
    place.mkdir()
    git(place, "init", "-q")
    commit(place, files)
    return place


def commit(place: Path, files: Mapping[str, str]) -> None:
    """Write files, and commit everything."""
    for name, text in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "a change")
