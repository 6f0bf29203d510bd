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
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


KEPT_VARIABLES = frozenset({"HOME", "OLDPWD", "VIRTUAL_ENV", "CONDA_PREFIX", "TMPDIR"})
"""Variables that name the same place for both versions, even if it is in the working tree."""

COPIED_MOST = 4 << 30
"""Bytes that are copied of what git does not keep."""

YOUNG = 60
"""Seconds that git may take to make a worktree."""


class NoWorktree(Exception):
    """A revision cannot be checked out. The text is one line for the user."""


@dataclass(frozen=True)
class Repository:
    """A repository of git's with a working tree.

    Attributes:
        root: of the working tree.
        below: the path of the user's working directory below `root`; empty where they are one.
        common: the directory of git's that all worktrees share.
        names: paths of `root`: a link may lead there.
    """

    root: Path
    below: Path
    common: Path
    names: tuple[Path, ...]


@dataclass
class Worktree:
    """A revision that is checked out.

    Attributes:
        repository: whose revision it is.
        commit: its full name.
        root: of the worktree.
        left_out: one line for each submodule that is not there.
        linked: what `link` has linked, relative to `root`.
    """

    repository: Repository
    commit: str
    root: Path
    left_out: list[str] = field(default_factory=list)
    linked: list[Path] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """The directory that stands for the user's working directory."""
        return self.root / self.repository.below

    def moved(self, word: str) -> str:
        """Return a text in which paths lead to this worktree in place of the working tree.

        What is there at this revision is moved, and what is nowhere yet, because the run will write
        it. An interpreter in `.venv` or data that git does not keep stays what it is.

        Args:
            word: a word of a command, or the value of a variable.
        """
        names = "|".join(re.escape(str(name)) for name in self.repository.names)
        # Not in the middle of another path: /home/anna/project2, /mnt/home/anna/project.
        path = re.compile(rf"(?<![\w./-])(?:{names})(?P<below>/[^\s:;,'\"]*)?(?![\w.-])")
        return path.sub(self._moved_path, word)

    def _moved_path(self, match: "re.Match[str]") -> str:
        below = (match["below"] or "").lstrip("/")
        is_free = not os.path.lexists(self.repository.root / below)
        if is_free or os.path.lexists(self.root / below):
            return str(self.root) + (match["below"] or "")
        return match[0]

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return an environment whose variables name this worktree.

        Args:
            environment: the user's.
        """
        moved = {
            name: value if name in KEPT_VARIABLES else self.moved(value)
            for name, value in environment.items()
        }
        return moved | ({"PWD": str(self.directory)} if "PWD" in environment else {})

    def copy(self, names: Iterable[Path]) -> tuple[list[Path], list[Path]]:
        """Copy files and directories of the working tree that are not there at this revision.

        What is too large is linked.

        Args:
            names: relative to the root of the repository.

        Returns:
            Those that were copied, and those that were linked.

        Raises:
            OSError: a file cannot be copied.
        """
        copied, linked = [], []
        left = min(COPIED_MOST, shutil.disk_usage(self.root).free // 2)
        for name in names:
            place, source = self.root / name, self.repository.root / name
            if os.path.lexists(place):
                continue
            size = _size(source, left)
            if size is None:
                linked += self.link([name])
                continue
            left -= size
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True)
            else:
                shutil.copy2(source, place)
            copied.append(name)
        return copied, linked

    def of_the_user(self, paths: Iterable[Path], *, with_linked: bool = False) -> list[Path]:
        """Return those of some paths that are in the working tree itself, relative to its root.

        Args:
            paths: absolute paths, which may lead there by a link.
            with_linked: whether what `link` has linked counts as well.
        """
        root, own = _real(self.repository.root), _real(self.root)
        real = (_real(path) for path in paths)
        # TMPDIR may be in the working tree, and the worktree with it.
        found = {
            path.relative_to(root)
            for path in real
            if path.is_relative_to(root) and not path.is_relative_to(own)
        }
        return sorted(
            name for name in found if with_linked or not any(map(name.is_relative_to, self.linked))
        )

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
        self.linked += linked
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
    below = directory.resolve().relative_to(root.resolve())
    names = dict.fromkeys([root, _real(root), *_named(directory, below), *_named(_pwd(), below)])
    # The longest first, because one may be the beginning of another.
    longest = sorted((name for name in names if _real(name) == _real(root)), key=_length)
    return Repository(root, below, common, tuple(longest))


def _length(path: Path) -> int:
    return -len(str(path))


def _pwd() -> Path:
    """The working directory as the user's shell names it, perhaps by a link."""
    return Path(os.environ.get("PWD") or "/")


def _named(directory: Path, below: Path) -> list[Path]:
    """Return the top of a repository as the name of a directory in it has it."""
    places = [directory.absolute(), *directory.absolute().parents]
    return places[len(below.parts) :][:1]


def _real(path: Path) -> Path:
    # Path.resolve raises for links that lead to each other.
    return Path(os.path.realpath(path))


def _size(path: Path, most: int) -> int | None:
    """Return the bytes of a file or of all files below a directory; None if they are more."""
    files = path.rglob("*") if path.is_dir() else [path]
    size = 0
    for file in files:
        size += file.lstat().st_size
        if size > most:
            return None
    return size


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
    """Return those of some paths that are below a root, relative to it.

    A path may have the root by the name of a link, and may be a link itself.
    """
    real = _real(root)
    there = (_real(path.parent) / path.name for path in paths)
    return [path.relative_to(real) for path in there if path.is_relative_to(real)]


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
            # Another command is making it at this moment; git takes the lock away at the end.
            if time.time() - (entry / "locked").stat().st_mtime < YOUNG:
                continue
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
