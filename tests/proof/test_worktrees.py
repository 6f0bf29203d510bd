"""Another revision is checked out beside the working tree, and nothing of it is left."""

import os
import subprocess
from pathlib import Path

import pytest

from seed_init.proof.running import worktrees
from seed_init.proof.running.worktrees import NoWorktree

from .repositories import commit, git, repository

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two commits, a changed file, and what git does not keep."""
    place = repository(
        tmp_path / "project", {"model.py": "one", "sub/a.py": "a", ".gitignore": "data"}
    )
    commit(place, {"model.py": "two", "new/b.py": "b"})
    (place / "model.py").write_text("three")
    (place / "data").mkdir()
    (place / "data/x").write_text("x")
    return place


def out(tmp_path: Path, name: str = "seed-init-out") -> Path:
    """The directory of a command."""
    place = tmp_path / name
    place.mkdir()
    return place


def state(root: Path) -> tuple[str, ...]:
    """What must be the same before and after."""
    return (
        git(root, "status", "--porcelain", "--ignored"),
        git(root, "worktree", "list"),
        git(root, "branch", "--all"),
        git(root, "stash", "list"),
        (root / ".git/index").read_bytes().hex(),
        "worktrees" if (root / ".git/worktrees").exists() else "",
    )


def test_the_revision_is_there_and_the_working_tree_is_as_it_was(
    root: Path, tmp_path: Path
) -> None:
    before = state(root)
    found = worktrees.find(root / "sub")
    assert (found.root, found.below) == (root, Path("sub"))
    revision = worktrees.commit_of(found, "HEAD~1")
    with worktrees.checked_out(found, revision, out(tmp_path)) as tree:
        assert (tree.root / "model.py").read_text() == "one"
        assert tree.directory == tree.root / "sub"
        assert not (tree.root / "new").exists()
        assert (root / "model.py").read_text() == "three"
        kept = tree.root
    assert not kept.exists()
    assert state(root) == before


def test_the_worktree_is_removed_whatever_happens(root: Path, tmp_path: Path) -> None:
    before = state(root)
    found = worktrees.find(root)
    with (
        pytest.raises(ZeroDivisionError),
        worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)) as tree,
    ):
        # What a program leaves there, and what it must not be able to hold back.
        (tree.root / "left").write_text("left")
        git(tree.root, "add", "left")
        git(root, "worktree", "lock", str(tree.root))
        _ = 1 / 0
    assert state(root) == before


def test_what_a_killed_command_left_is_removed_by_the_next_one(root: Path, tmp_path: Path) -> None:
    before = state(root)
    found = worktrees.find(root)
    name = f"seed-init-{os.getuid()}-verify-killed-code"
    git(root, "worktree", "add", "--detach", str(tmp_path / name), "HEAD")
    mine = tmp_path / "mine"
    git(root, "worktree", "add", "--detach", str(mine), "HEAD")
    subprocess.run(["rm", "-r", tmp_path / name, mine], check=True)
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)):
        listed = git(root, "worktree", "list", "--porcelain")
        assert name not in listed
        assert str(mine) in listed  # the user's own, whose disk may not be there just now
    git(root, "worktree", "prune")
    assert state(root)[:5] == before[:5]


def test_no_hook_of_the_repository_runs(root: Path, tmp_path: Path) -> None:
    hook = root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    found = worktrees.find(root)
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)):
        pass
    assert not (tmp_path / "ran").exists()


def test_variables_of_a_hook_of_gits_name_no_other_repository(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", {"a": "a"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert worktrees.find(root).root == root


def test_paths_into_the_working_tree_are_moved_but_for_what_git_does_not_keep(
    root: Path, tmp_path: Path
) -> None:
    found = worktrees.find(root)
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)) as tree:
        for word in (
            *("{}/model.py", "--path={}", "--path={}/model.py", "{}/model.py:{}/x,{}"),
            *("import sys; sys.path.insert(0, '{}')", "{}/not/yet/there"),
        ):
            assert tree.moved(word.replace("{}", str(root))) == word.replace("{}", str(tree.root))
        for word in ("model.py", "/bin/sh", f"{root}/data/x", f"/mnt{root}/a", f"{root}2/a"):
            assert tree.moved(word) == word


def test_a_working_tree_that_is_reached_by_a_link_is_moved_by_each_of_its_names(
    root: Path, tmp_path: Path
) -> None:
    link = tmp_path / "by-link"
    link.symlink_to(root)
    found = worktrees.find(link)
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)) as tree:
        for name in (link, root):
            assert tree.moved(f"--path={name}/model.py") == f"--path={tree.root}/model.py"
            assert tree.of_the_user([name / "model.py"]) == [Path("model.py")]
        assert worktrees.inputs(found, [link / "data/x"], []) == [Path("data")]


def test_every_variable_is_moved_but_those_that_are_not_the_programs(
    root: Path, tmp_path: Path
) -> None:
    found = worktrees.find(root)
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)) as tree:
        before = {"HOME": str(root), "CONFIG": f"{root}/model.py", "PWD": "/", "PATH": "/bin"}
        after = {**before, "CONFIG": f"{tree.root}/model.py", "PWD": str(tree.directory)}
        assert tree.environment(before) == after


def test_what_a_run_has_read_is_copied_and_what_is_too_large_is_linked(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = worktrees.find(root)
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)) as tree:
        assert tree.copy([Path("data")]) == ([Path("data")], [])
        (tree.root / "data/x").write_text("the revision's")
        assert (root / "data/x").read_text() != "the revision's"
        assert tree.of_the_user([root / "data/x", tree.root / "data/x"]) == [Path("data/x")]
    monkeypatch.setattr(worktrees, "COPIED_MOST", 0)
    (tmp_path / "other").mkdir()
    other = out(tmp_path / "other")
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), other) as tree:
        assert tree.copy([Path("data")]) == ([], [Path("data")])
        written = [tree.root / "data/x"]
        assert tree.of_the_user(written) == []
        assert tree.of_the_user(written, with_linked=True) == [Path("data/x")]


def test_what_git_does_not_keep_and_a_run_has_read_is_linked(root: Path, tmp_path: Path) -> None:
    found = worktrees.find(root)
    read = [root / "data/x", root / "model.py", Path("/etc/passwd")]
    assert worktrees.inputs(found, read, []) == [Path("data")]
    # A file of a directory in which the run has written does not stand for the directory.
    assert worktrees.inputs(found, read, [root / "data/out"]) == [Path("data/x")]
    assert worktrees.inputs(found, read, [root / "data/x"]) == []
    with worktrees.checked_out(found, worktrees.commit_of(found, "HEAD"), out(tmp_path)) as tree:
        assert tree.link([Path("data"), Path("model.py")]) == [Path("data")]
        assert (tree.root / "data/x").read_text() == "x"
        assert (tree.root / "model.py").read_text() == "two"
    assert (root / "data/x").read_text() == "x"


def test_submodules_are_there_as_far_as_this_clone_has_them(root: Path, tmp_path: Path) -> None:
    library = repository(tmp_path / "library", {"lib.py": "one"})
    git(root, "submodule", "add", "-q", str(library), "lib")
    git(root, "commit", "-qm", "with a library")
    commit(root / "lib", {"lib.py": "two"})
    git(root, "commit", "-qam", "another version of it")
    found = worktrees.find(root)
    before = git(root / "lib", "status", "--porcelain")
    revisions = [worktrees.commit_of(found, name) for name in ("HEAD~1", "HEAD")]
    for revision, text in zip(revisions, ("one", "two")):
        with worktrees.checked_out(found, revision, out(tmp_path, text)) as tree:
            assert (tree.root / "lib/lib.py").read_text() == text
            assert tree.left_out == []
    assert (root / "lib/lib.py").read_text() == "two"
    assert git(root / "lib", "status", "--porcelain") == before
    git(root, "submodule", "deinit", "-f", "lib")
    with worktrees.checked_out(found, revisions[0], out(tmp_path, "none")) as tree:
        [line] = tree.left_out
        assert line.startswith("submodule lib: this clone does not have its commit ")


def test_what_cannot_be_checked_out_is_one_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(directory: Path, revision: str) -> str:
        with pytest.raises(NoWorktree) as raised:
            found = worktrees.find(directory)
            revision = worktrees.commit_of(found, revision)
            with worktrees.checked_out(found, revision, out(tmp_path, "out")):
                pass
        assert "\n" not in str(raised.value)
        return str(raised.value)

    before = state(root)
    assert refused(tmp_path, "HEAD").endswith(
        "is in no working tree of git's; go into one, or git init"
    )
    for revision in ("no-such", "--all", "", "HEAD:model.py"):
        assert f"{revision} is no commit of this repository; git log" in refused(root, revision)
    assert refused(root / "new", "HEAD~1").startswith("new is no directory at ")
    assert state(root) == before
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused(root, "HEAD").startswith("git is not there, which checks out another revision")
