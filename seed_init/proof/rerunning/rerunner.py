# SPDX-License-Identifier: Apache-2.0
"""Make a recorded run again, in a worktree and with the recorded settings, and compare."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.arithmetic import kept
from seed_init.proof.comparing import comparison
from seed_init.proof.comparing.comparison import Comparison
from seed_init.proof.comparing.environments import Explanation
from seed_init.proof.redaction import redaction
from seed_init.proof.rerunning import here, recorded, tree
from seed_init.proof.rerunning.recorded import CannotRerun, Recorded
from seed_init.proof.running import in_place, signals, workspace, worktrees
from seed_init.proof.running.worktrees import Worktree
from seed_init.proof.trace import journal, record_parts, records
from seed_init.proof.trace.git import OF_ONE_REPOSITORY


@dataclass(frozen=True)
class Prepared:
    """A run that can be made.

    Attributes:
        recorded: how it was made.
        argv: the words to start.
        environment: the environment of the run.
        directory: the working directory, in the worktree.
        tree: the worktree.
        place: the directory of this command alone, with the worktree in it.
        copied: how many files that git does not have were copied into the worktree.
        differences: what differs here.
        again: files outside of the repository that the run would write again.
    """

    recorded: Recorded
    argv: tuple[str, ...]
    environment: dict[str, str]
    directory: Path
    tree: Worktree
    place: Path
    copied: int
    differences: list[Explanation]
    again: list[str]


@dataclass(frozen=True)
class Rerun:
    """A run that was made again.

    Attributes:
        ended: how the command ended.
        content: the sections of its record, with the paths of the recorded run.
        comparison: of the record and this run.
    """

    ended: in_place.Ended
    content: dict[str, Any]
    comparison: Comparison


@contextlib.contextmanager
def prepared(content: dict[str, Any], directory: Path) -> Iterator[Prepared]:
    """Check out what a record names, and remove it afterwards.

    Args:
        content: the sections of the record, which was checked.
        directory: any directory of the user's working tree.

    Raises:
        CannotRerun: the run cannot be made again.
        signals.Ended: a signal came.
        OSError: there is no place for the worktree.
    """
    run = recorded.of(content)
    try:
        # Its top: what is asked for is another directory than this one.
        repository = worktrees.find(worktrees.find(directory).root)
        commit = worktrees.commit_of(repository, run.commit)
        with (
            signals.ending_on_signals(),
            workspace.results("rerun") as place,
            worktrees.checked_out(repository, commit, place) as made,
        ):
            yield _prepared(run, made, place)
    except worktrees.NoWorktree as error:
        raise CannotRerun(str(error)) from None


def _prepared(run: Recorded, worktree: Worktree, place: Path) -> Prepared:
    if worktree.left_out:
        raise CannotRerun(worktree.left_out[0])
    root, made = worktree.repository.root, worktree.root
    tree.apply_patch(run, made)
    copied = tree.bring(run, root, made)
    argv = tree.words(run, root, made)
    environment = recorded.environment_of(run, in_place.given_environment())
    environment = {n: value for n, value in environment.items() if n not in OF_ONE_REPOSITORY}
    environment = worktree.environment(environment) | {"PWD": str(made / run.prefix)}
    directory = made / run.prefix
    if not directory.is_dir():
        raise CannotRerun(f"{run.prefix}, where the run was started, has no file that git tracks")
    with _inside(directory):
        differences = here.differences(run, argv, environment, root, directory, place / "here")
    again = tree.would_write_again(run)
    return Prepared(
        *(run, tuple(argv), environment, directory, worktree, place, copied, differences, again)
    )


def run(prepared: Prepared, record: Path) -> Rerun:
    """Make the run, with this process's input and output, and compare it with the record.

    Args:
        prepared: the run.
        record: the file of the record.

    Raises:
        in_place.CannotRun: the command cannot be started.
        journal.Unreadable, OSError, ValueError: what the run has left cannot be read or kept.
    """
    output = prepared.place / "rerun.json"
    parts = record_parts.parts_of(output)
    with _inside(prepared.directory):
        ended = _ended(prepared, parts)
        content = _assembled(prepared, parts, ended)
    records.write(output, content)
    compared = comparison.compare(record, output)
    if compared.difference is not None:
        compared.difference.runs = [str(record), "rerun"]
    return Rerun(ended, content, compared)


def _ended(prepared: Prepared, parts: Path) -> in_place.Ended:
    # The recorded words, by which processes of two runs are told to belong together.
    argv, environment = prepared.recorded.argv, prepared.environment
    records.begin(parts, argv, "command", whole=True, environment=environment)
    environment = environment | {
        "SEED_INIT_TRACE": str(parts),
        record_parts.RECORDER: str(os.getpid()),
    }
    return in_place.run_as_a_shell(prepared.argv, environment)


def _assembled(prepared: Prepared, parts: Path, ended: in_place.Ended) -> dict[str, Any]:
    content = records.assemble(
        parts,
        journal.read(parts),
        ended=time.time(),
        status=ended.status,
        how="signal" if ended.by_signal else "exit",
        here=True,
    )
    if prepared.recorded.content.get("arithmetic") is not None and not ended.told_to:
        asked = kept.of_a_record(content, prepared.environment)
        content["arithmetic"] = redaction.deep(asked.to_json()) if asked is not None else None
    moved = _as_recorded(prepared)
    return {
        name: each if name in ("trace", "packages") else _with_each_text(each, moved)
        for name, each in content.items()
    }


def _as_recorded(prepared: Prepared) -> Callable[[str], str]:
    """Return what gives a text the paths of the recorded run: the worktree lay elsewhere.

    The user's own tree counts as that of the run as well: a package that is installed from there
    (`pip install -e`) is compared with the one that was recorded.
    """
    before = redaction.text(str(prepared.recorded.root))
    trees = (prepared.tree.root, prepared.tree.repository.root)
    first, second = (redaction.text(str(path)) for path in trees)
    return lambda text: text.replace(first, before).replace(second, before)


def _with_each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value of JSON in which each text, but no key, is changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_with_each_text(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _with_each_text(item, change) for key, item in value.items()}
    return value


@contextlib.contextmanager
def _inside(directory: Path) -> Iterator[None]:
    """Be in a directory: the command starts in the one that this process is in."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(directory)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def words_of(argv: Sequence[str]) -> str:
    """Return the command as a line, without secrets."""
    return " ".join(redaction.words(argv))
