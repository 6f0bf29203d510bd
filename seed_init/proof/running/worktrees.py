# SPDX-License-Identifier: Apache-2.0
"""Check a commit out beside the user's working tree, for a run, and take it away afterwards.

    root = worktrees.top_of(Path.cwd())
    with worktrees.checked_out(root, worktrees.commit_of(root, "HEAD~1"), place) as tree:
        ...

It is a worktree of git's (git-worktree(1)): the objects are those of the user's repository, and the
user's files, index and branches stay as they are. Hooks of the repository do not run.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from seed_init.proof.running import signals
from seed_init.proof.trace import git

NO_HOOKS = ("-c", "core.hooksPath=/dev/null")


class CannotCheckOut(Exception):
    """A commit cannot be checked out. The text is one line for the user."""


def top_of(directory: Path) -> Path:
    """Return the top of the working tree that a directory is in.

    Args:
        directory: any directory of it.

    Raises:
        CannotCheckOut: there is no git, or the directory is in no working tree.
    """
    if shutil.which("git") is None:
        raise CannotCheckOut("there is no git in PATH; install git")
    top = git.text(directory, "rev-parse", "--show-toplevel")
    if top is None or not top.strip():
        raise CannotCheckOut(
            f"{directory} is in no git repository; change to the repository of the program"
        )
    return Path(top.removesuffix("\n"))


def commit_of(root: Path, revision: str) -> str:
    """Return the full name of the commit that a revision stands for.

    Args:
        root: the top of a working tree.
        revision: the name of a commit, a branch or a tag, or an expression (gitrevisions(7)).

    Raises:
        CannotCheckOut: there is no such commit here.
    """
    # Without --end-of-options a revision that begins with a dash would be an option.
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    name = git.text(root, *words)
    if name is None or not name.strip():
        raise CannotCheckOut(
            f"there is no commit {revision} in {root}; git fetch it, or give another one"
        )
    return name.strip()


def has_submodules(root: Path, commit: str) -> bool:
    """Return whether a commit has submodules, which are empty directories in a worktree."""
    return git.answer(root, "cat-file", "-e", f"{commit}:.gitmodules") is not None


@contextlib.contextmanager
def checked_out(root: Path, commit: str, place: Path, patch: bytes = b"") -> Iterator[Path]:
    """Check a commit out into a directory, and remove that directory afterwards.

    Args:
        root: the top of the user's working tree.
        commit: its full name.
        place: an existing directory of this run alone; the worktree is made in there, under the
            name of the user's directory.
        patch: what is changed in the worktree, as `git apply` reads it.

    Raises:
        CannotCheckOut: the commit cannot be checked out, or the patch does not fit.
    """
    tree = place / root.name
    with contextlib.ExitStack() as stack:
        kept: list[Path] = []
        stack.callback(_remove, root, tree, kept)
        try:
            git.do(root, *NO_HOOKS, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        except git.Failed as failed:
            raise CannotCheckOut(f"{commit[:12]} cannot be checked out: {failed}") from None
        own = git.text(tree, "rev-parse", "--absolute-git-dir")
        kept += [Path(own.removesuffix("\n"))] if own is not None else []
        if patch:
            try:
                # With --index: git would not know files that are new.
                git.do(tree, "apply", "--index", "--whitespace=nowarn", "-p1", "-", given=patch)
            except git.Failed as failed:
                raise CannotCheckOut(f"the patch does not fit {commit[:12]}: {failed}") from None
        yield tree


def _remove(root: Path, tree: Path, kept: list[Path]) -> None:
    """Remove a worktree, and what git keeps of the worktree in the user's repository.

    Args:
        root: the top of the user's working tree.
        tree: the worktree.
        kept: the directory in which git keeps it, where that is known.
    """
    with signals.held():
        try:
            git.do(root, "worktree", "remove", "--force", "--force", str(tree))
        except git.Failed:
            # The program may have removed the file by which git knows the worktree.
            for left in (tree, *kept):
                shutil.rmtree(left, ignore_errors=True)
