# SPDX-License-Identifier: Apache-2.0
"""The files of a recorded run, in a worktree beside the user's own.

The commit and the patch give what git tracks. What the run imported or read beside that, below the
top of its repository, is copied from the user's working tree, if the digest in the record says that
the file is the same. Nothing is linked: the program may write to what it has read.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seed_init.proof.comparing.values import counted
from seed_init.proof.rerunning.recorded import CannotRerun, Recorded, at_home, in_full
from seed_init.proof.trace import data_files, git, patches

COPIED_MOST = 4 << 30
"""Bytes that are copied: a data set of more belongs outside of the repository."""


def apply_patch(recorded: Recorded, tree: Path) -> None:
    """Make the changes of the run that were not committed, and check that git shows no others.

    Args:
        recorded: the run.
        tree: the worktree.

    Raises:
        CannotRerun: the patch does not fit, or git shows other changes there.
    """
    if recorded.patch:
        # With --index: git would not know files that are new.
        words = ("apply", "--index", "--whitespace=nowarn", "-p1", "-")
        try:
            git.do(tree, *words, given=recorded.patch)
        except git.Failed as failed:
            raise CannotRerun(f"the recorded patch does not fit the commit: {failed}") from None
    changes = patches.difference(tree)
    if changes is None or patches.essence(changes) != patches.essence(recorded.patch):
        raise CannotRerun(
            "the commit with the recorded patch is not the code that ran: git shows other changes "
            "there; a filter of git's (.gitattributes, core.autocrlf) may change files"
        )


def bring(recorded: Recorded, root: Path, tree: Path) -> int:
    """Copy what the run used and git does not have; return how many files that were.

    Args:
        recorded: the run.
        root: the top of the user's working tree.
        tree: the worktree.

    Raises:
        CannotRerun: a file is not here, is another one now, or there is no room.
    """
    missing: list[tuple[Path, Path]] = []
    size = 0
    # Each file is read once more when it is looked for, and no limit ends that.
    reader = data_files.Reader(1 << 62)
    for below, digest, what in _used(recorded):
        target, here = tree / below, root / below
        if target.is_file():
            if what == "imported" and digest != reader.describe(target)["sha256"]:
                raise CannotRerun(
                    f"{below} is not what the run imported: it was changed while the run went on, "
                    "or a filter of git's changes it"
                )
            continue
        found = reader.describe(here)
        if digest is None or found["sha256"] != digest:
            why = "is not here" if found["method"] == "gone" else "is not the same file any more"
            raise CannotRerun(
                f"the run {what} {below}, which git does not track and which {why}: git add it "
                "before you record"
            )
        missing.append((here, target))
        size += found["size"]
    if size > COPIED_MOST:
        raise CannotRerun(
            f"the run read {counted(len(missing), 'file')} below its repository that git does not "
            f"track, more than {COPIED_MOST >> 30} GiB; keep them outside of the repository"
        )
    try:
        for here, target in missing:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(here, target)
    except OSError as error:
        raise CannotRerun(
            f"what git does not track cannot be copied: {error.strerror}; set TMPDIR to a "
            "directory with more room"
        ) from None
    return len(missing)


def _used(recorded: Recorded) -> Iterator[tuple[Path, str | None, str]]:
    """Yield what the run imported and read below its repository: path, SHA-256 and which."""
    content = recorded.content
    for module in content["code"]["modules"]:
        below = _below(recorded, module)
        if below is not None:
            yield below, module["sha256"], "imported"
    for file in content["files"]["read"]:
        below = _below(recorded, file)
        # A file that is gone at the end of the run was a temporary one.
        if below is not None and file["method"] != "gone":
            yield below, file["sha256"], "read"


def _below(recorded: Recorded, entry: Mapping[str, Any]) -> Path | None:
    """Return the path of a file below the top of the repository; None for one elsewhere."""
    path = Path(at_home(entry["path"]))
    if not path.is_relative_to(recorded.root) or ".." in path.parts:
        return None
    in_full(entry["path"], f"the name of a file that the run used, {entry['path']},")
    return path.relative_to(recorded.root)


def would_write_again(recorded: Recorded) -> list[str]:
    """Return files outside of the repository that the run wrote, and that are there now.

    What lies in a hidden directory (a cache) or in one for temporary files is left out.
    """
    temporary = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev"))
    found = []
    for name in recorded.content["files"]["written"]:
        path = Path(at_home(name))
        is_hidden = any(part.startswith(".") for part in path.parts)
        is_elsewhere = not any(path.is_relative_to(each) for each in (recorded.root, *temporary))
        if is_elsewhere and not is_hidden and path.is_file():
            found.append(str(path))
    return found


def words(recorded: Recorded, root: Path, tree: Path) -> list[str]:
    """Return the words of the command, with the worktree where they name the user's own tree.

    Args:
        recorded: the run.
        root: the top of the user's working tree.
        tree: the worktree.

    Raises:
        CannotRerun: the program is a file that git did not track.
    """
    first, *rest = recorded.argv
    before, now = str(recorded.root), str(tree)
    return [_program(recorded, first, root, tree), *(_moved(word, before, now) for word in rest)]


def _program(recorded: Recorded, word: str, root: Path, tree: Path) -> str:
    if "/" not in word:
        return word
    # By its words: the program of a virtual environment is a link to another place.
    path = Path(os.path.normpath(recorded.root / recorded.prefix / word))
    if not path.is_relative_to(recorded.root):
        return word
    below = path.relative_to(recorded.root)
    if (tree / below).exists():
        return str(tree / below) if Path(word).is_absolute() else word
    if str(below) in recorded.untracked:
        raise CannotRerun(
            f"the command is {below}, which git does not track: git add it before you record"
        )
    # A program of a virtual environment, mostly.
    return str(root / below)


def _moved(word: str, before: str, now: str) -> str:
    """Return a word in which one directory takes the place of another one."""
    # Not in the middle of another path: /home/anna/project2, /mnt/home/anna/project.
    return re.sub(rf"(?<![\w./-]){re.escape(before)}(?=/|$|[,:;])", lambda _: now, word)
