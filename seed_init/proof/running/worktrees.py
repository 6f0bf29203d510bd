# SPDX-License-Identifier: Apache-2.0
"""Check out another revision of the user's repository beside the working tree, and remove it again.

    with checked_out(find(Path.cwd()), "main", directory) as tree:
        ...                                 # tree.directory is this directory, at that revision

The working tree, the index and the branches of the user stay as they are. A worktree of git's has
an entry in the repository (`git worktree list`), which is removed with the worktree. What a killed
command has left there is removed by the next one.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import signals

SETTINGS = (
    # In a container the files often belong to another user, and git would refuse to look at them.
    *("-c", "safe.directory=*"),
    # Nothing of the user's runs because a revision is checked out.
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "submodule.recurse=false"),
    *("-c", "advice.detachedHead=false"),
)

OF_A_HOOK = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    "GIT_OBJECT_DIRECTORY",
)
"""Variables of git's that name another repository than the one of a directory."""


class NoWorktree(Exception):
    """A revision cannot be checked out. The text is one line for the user."""


@dataclass(frozen=True)
class Repository:
    """A repository of git's with a working tree.

    Attributes:
        root: of the working tree.
        below: the path of the user's working directory below `root`; empty where they are one.
        common: the directory of git's that all worktrees share.
    """

    root: Path
    below: Path
    common: Path


@dataclass
class Worktree:
    """A revision that is checked out.

    Attributes:
        repository: whose revision it is.
        commit: its full name.
        root: of the worktree.
        left_out: one line for each submodule that is not there.
    """

    repository: Repository
    commit: str
    root: Path
    left_out: list[str] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """The directory that stands for the user's working directory."""
        return self.root / self.repository.below

    def moved(self, word: str) -> str:
        """Return a word or a path with this worktree in place of the working tree.

        Only what is there at this revision is moved: an interpreter in `.venv` stays what it is.

        Args:
            word: a word of a command, or an entry of a variable.
        """
        path = Path(word)
        if not path.is_absolute() or not path.is_relative_to(self.repository.root):
            return word
        here = self.root / path.relative_to(self.repository.root)
        return str(here) if here.exists() else word

    def link(self, names: Iterable[Path]) -> list[Path]:
        """Link files and directories of the working tree that are not there at this revision.

        Args:
            names: relative to the root of the repository.

        Returns:
            Those that were linked.

        Raises:
            OSError: a link cannot be made.
        """
        linked = []
        for name in names:
            place = self.root / name
            if not os.path.lexists(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(self.repository.root / name)
                linked.append(name)
        return linked


def find(directory: Path) -> Repository:
    """Return the repository that a directory is in.

    Raises:
        NoWorktree: there is none, git is not there, or the repository has no working tree.
    """
    if shutil.which("git") is None:
        raise NoWorktree("git is not there, which checks out another revision; install git")
    words = ("rev-parse", "--show-toplevel", "--git-common-dir")
    done = _git(directory, *words)
    lines = done.stdout.decode(errors="surrogateescape").splitlines()
    if done.returncode or len(lines) != 2:
        raise NoWorktree(f"{directory} is in no working tree of git's; go into one, or git init")
    root = Path(lines[0])
    common = (directory / lines[1]).resolve()
    return Repository(root, directory.resolve().relative_to(root.resolve()), common)


def commit_of(repository: Repository, revision: str) -> str:
    """Return the full name of the commit that a revision means.

    Raises:
        NoWorktree: there is no such commit.
    """
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    done = _git(repository.root, *words)
    if done.returncode or not done.stdout.strip():
        raise NoWorktree(
            f"{without_secrets(revision)} is no commit of this repository; git log shows those "
            "that are, and git fetch gets others (a clone of CI has often one only)"
        )
    return done.stdout.decode().strip()


def has_changes(repository: Repository) -> bool:
    """Return whether the working tree is not its commit: changed or new files, none ignored."""
    return bool(_answer(repository.root, "status", "--porcelain", "--untracked-files=normal"))


def untracked(repository: Repository) -> list[Path]:
    """Return what git does not keep: files and whole directories, ignored ones as well.

    Raises:
        NoWorktree: git does not say.
    """
    words = ("status", "--porcelain", "-z", "--untracked-files=normal", "--ignored=traditional")
    entries = _answer(repository.root, *words).split(b"\0")
    marks = (b"?? ", b"!! ")
    return [Path(os.fsdecode(entry[3:])) for entry in entries if entry[:3] in marks]


def inputs(repository: Repository, read: Iterable[Path], written: Iterable[Path]) -> list[Path]:
    """Return what a run has read that git does not keep, as `Worktree.link` takes it.

    Where nothing was written below a directory that git does not keep, the directory stands for
    its files, so that a listing of it is the same.

    Args:
        repository: of the working tree in which the command was run.
        read: absolute paths of files that it has read.
        written: absolute paths of files that it has written.

    Returns:
        Paths relative to the root.

    Raises:
        NoWorktree: git does not say what it keeps.
    """
    entries = untracked(repository)
    wrote = set(_inside(repository.root, written))
    found: dict[Path, None] = {}
    for path in _inside(repository.root, read):
        if path in wrote:
            continue
        entry = next((each for each in entries if path == each or each in path.parents), None)
        if entry is not None:
            is_input = not any(entry in each.parents for each in wrote)
            found[entry if is_input else path] = None
    return list(found)


def _inside(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return those of some paths that are below a root, relative to it."""
    return [path.relative_to(root) for path in paths if path.is_relative_to(root)]


@contextlib.contextmanager
def checked_out(repository: Repository, commit: str, directory: Path) -> Iterator[Worktree]:
    """Check out a commit, and remove it again at the end of the block, whatever happens.

    Args:
        repository: whose commit it is.
        commit: its full name, as `commit_of` gives it.
        directory: one of this command alone, with a unique name (`workspace.results`).

    Raises:
        NoWorktree: git cannot check it out, or the user's directory is not there at that commit.
    """
    _forget_the_dead(repository)
    # git names the entry in the repository after the directory. That name is unique.
    root = directory.absolute() / f"{directory.name}-code"
    try:
        done = _git(repository.root, "worktree", "add", "--detach", str(root), commit)
        if done.returncode:
            raise NoWorktree(f"git cannot check out {commit[:12]}: {_last(done.stderr)}")
        tree = Worktree(repository, commit, root)
        if not tree.directory.is_dir():
            raise NoWorktree(f"{repository.below} is no directory at {commit[:12]}")
        _add_submodules(tree, directory)
        yield tree
    finally:
        with signals.held():
            _remove(repository, root)


def _remove(repository: Repository, root: Path) -> None:
    # Twice --force: a worktree is locked while git makes it.
    _git(repository.root, "worktree", "remove", "--force", "--force", str(root))
    shutil.rmtree(root, ignore_errors=True)
    _forget(repository, root.name)


def _forget(repository: Repository, name: str) -> None:
    """Remove the entry of a worktree that is not there any more."""
    entries = repository.common / "worktrees"
    shutil.rmtree(entries / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        entries.rmdir()  # as git does when the last one goes


def _forget_the_dead(repository: Repository) -> None:
    """Remove the entries of commands that were killed. Their directories are gone already."""
    for entry in (repository.common / "worktrees").glob(f"seed-init-{os.getuid()}-*"):
        with contextlib.suppress(OSError):
            tree = Path((entry / "gitdir").read_text().strip()).parent
            if not tree.exists():
                _forget(repository, entry.name)


def _add_submodules(tree: Worktree, directory: Path) -> None:
    """Copy the submodules of a commit, as far as this clone has what the commit names."""
    listed = _answer(tree.root, "ls-tree", "-r", "-z", tree.commit)
    for entry in listed.split(b"\0"):
        if not entry.startswith(b"160000 "):
            continue
        head, _, name = entry.partition(b"\t")
        path, commit = Path(os.fsdecode(name)), head.split()[2].decode()
        if not _copied(tree.repository.root / path, commit, tree.root / path, directory):
            tree.left_out.append(
                f"submodule {path}: this clone does not have its commit {commit[:12]}; git "
                "submodule update --init gets it"
            )


def _copied(submodule: Path, commit: str, place: Path, directory: Path) -> bool:
    """Copy the files of a submodule at a commit; False if the submodule does not have it."""
    if not (submodule / ".git").exists():
        return False
    index = directory / "index-of-a-submodule"
    variables = {"GIT_INDEX_FILE": str(index)}
    read = _git(submodule, "read-tree", commit, variables=variables)
    words = ("checkout-index", "--all", f"--prefix={place}/")
    copied = _git(submodule, *words, variables=variables) if not read.returncode else read
    index.unlink(missing_ok=True)
    return not copied.returncode


def _answer(directory: Path, *words: str) -> bytes:
    done = _git(directory, *words)
    if done.returncode:
        raise NoWorktree(f"git {words[0]} does not answer: {_last(done.stderr)}")
    return done.stdout


def _git(
    directory: Path, *words: str, variables: "dict[str, str] | None" = None
) -> "subprocess.CompletedProcess[bytes]":
    command: Sequence[str] = ("git", "-C", str(directory), *SETTINGS, *words)
    environment = {name: os.environ[name] for name in os.environ if name not in OF_A_HOOK}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "SEED_INIT": "0"}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment | (variables or {}),
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, b"", (error.strerror or "").encode())


def _last(said: bytes) -> str:
    """Return the line of git's that says what is wrong."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    line = (fatal or lines or ["it does not say why"])[0]
    return without_secrets(line.partition(": ")[2] if fatal else line)
