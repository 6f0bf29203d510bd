# SPDX-License-Identifier: Apache-2.0
"""The state of the code that a sweep runs: the commit, and the contents of files that count."""

from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seed_init.proof.trace import data_files, machine

MOST_NAMED = 3
"""How many files a message names."""


def of(words: Iterable[Sequence[str]], cwd: Path) -> dict[str, Any]:
    """Return the state of the code.

    Args:
        words: the words of each command of the sweep. The files that they name count.
        cwd: the working directory of the runs.

    Returns:
        `commit` and `diff_sha256` of git, `changed`: tracked files that are not as committed, and
        `files`: files that the words name; both map a path to the SHA-256 of the contents.
    """
    git = machine.code(cwd) or {}
    changed = machine.changed_files(cwd) if git.get("changed_files") else []
    return {
        "commit": git.get("commit"),
        "diff_sha256": git.get("diff_sha256"),
        "changed": digests(changed),
        "files": digests(path for command in words for path in _named(command, cwd)),
    }


def digests(paths: Iterable[Path]) -> dict[str, str | None]:
    """Return the SHA-256 of files by their path; None for a file that is gone.

    Args:
        paths: absolute paths. Of a file that is larger than 64 MiB, samples are read.
    """
    reader = data_files.Reader()
    return {str(path): reader.describe(path)["sha256"] for path in dict.fromkeys(paths)}


def _named(words: Sequence[str], cwd: Path) -> Iterable[Path]:
    for number, word in enumerate(words):
        name = word.partition("=")[2] if word.startswith("-") and "=" in word else word
        if number and words[number - 1] == "-m":
            module = word.replace(".", "/")
            candidates = [f"{module}.py", f"{module}/__main__.py"]
        else:
            candidates = [name]
        for candidate in candidates:
            path = cwd / candidate
            try:
                if candidate and path.is_file():
                    yield path.absolute()
            except (OSError, ValueError):  # a word that is too long for a name
                continue


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], written: Container[str]
) -> list[str]:
    """Return what of the code is not as it was, one clause each.

    Args:
        before: the state when the sweep began.
        now: the state at present.
        written: paths that runs of the sweep have written; these are results and no code.
    """
    lines = []
    if before["commit"] != now["commit"]:
        was, is_now = (_short(state["commit"]) for state in (before, now))
        lines.append(f"the commit is {is_now} and was {was}")
    changed = [
        path
        for path in {**before["changed"], **now["changed"]}
        if before["changed"].get(path) != now["changed"].get(path) and path not in written
    ]
    # A file that the words name, and that was not there at first, is an output.
    files = [
        path
        for path, digest in before["files"].items()
        if path not in written and now["files"].get(path, digest) != digest
    ]
    paths = list(dict.fromkeys([*changed, *files]))
    return [*lines, *_changed(paths)]


def changed_since(digest_of: Mapping[str, str | None], written: Container[str]) -> list[str]:
    """Return which files are not as they were when a run used them, as one clause or none.

    Args:
        digest_of: path to the SHA-256 at that time.
        written: as in `differences`.
    """
    kept = {path: digest for path, digest in digest_of.items() if path not in written and digest}
    now = digests(map(Path, kept))
    return _changed([path for path, digest in kept.items() if now[path] != digest])


def _changed(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    more = f" and {len(paths) - MOST_NAMED} more files" if len(paths) > MOST_NAMED else ""
    have = "has" if len(paths) == 1 else "have"
    return [f"{', '.join(map(_relative, paths[:MOST_NAMED]))}{more} {have} changed"]


def _relative(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "none"
