# SPDX-License-Identifier: Apache-2.0
"""Prove that two versions of a program train the same, or find where they part.

The version of the working tree is run as it is. The other one is the same command at another
revision, in a worktree of git's, or another command. If the two differ, each is run once more,
because what does not repeat itself cannot be compared; then the step at which they part is looked
at closely, lined up by where things come from (`comparing.versions`).
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from seed_init.proof.comparing import output_lines, steps, versions, written_files
from seed_init.proof.comparing.align import in_common, paired
from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.versions import Alone, Look
from seed_init.proof.redaction import redaction
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.running import (
    commands,
    conditions,
    requests,
    signals,
    workspace,
    worktrees,
)
from seed_init.proof.running.worktrees import Repository, Worktree
from seed_init.proof.trace import records
from seed_init.proof.verifying import coverage, locating
from seed_init.proof.verifying.runs import Outcome, Progress, Request, Runs
from seed_init.proof.verifying.verdict import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    UNPROVEN,
    Failure,
    VerifiedRun,
)

FORMAT = 1
"""Of the JSON. Another number: another meaning of what is in it."""

THIS = "this tree"
OTHER_COMMAND = "the other command"

MOST = 5
"""What only one of the versions has: entries that are kept of each."""

NOTHING_SEEN = (
    "no training step, no generator and no line of output was seen that could be compared; let the "
    "command print what must be the same, or name a file that it writes with --file"
)


class CannotCompare(Exception):
    """Two versions cannot be compared. The text is one line for the user."""


@dataclass(frozen=True)
class Other:
    """The other version.

    Attributes:
        revision: of git, as the user gave it; None for the working tree.
        command: its words; None for the same command.
        links: files and directories that git does not keep and that the revision gets as well.
    """

    revision: str | None = None
    command: tuple[str, ...] | None = None
    links: tuple[Path, ...] = ()


@dataclass
class Against:
    """What came of it.

    Attributes:
        verdict: as of a verification.
        command: the words of this version.
        other_command: the words of the other one.
        names: what a reader calls the two versions.
        commit: of the other version; None for the working tree.
        seed: SEED as it was given; None where it was not.
        runs: every run, in order.
        compared: what was compared, as counts and names.
        not_compared: what could not be, one line each.
        difference: where the training parts; None where it does not.
        alone: what only one version has: parameters, and what it does in the step at which they
            part, before they do.
        also: what differs beside the training, one line each.
        copied: what git does not keep and was copied for the revision.
        linked: what was linked instead, because it is too large.
        reason: why a command failed, or nothing is proven; None otherwise.
        failures: what failed of what should have looked.
    """

    verdict: str
    command: tuple[str, ...]
    other_command: tuple[str, ...]
    names: tuple[str, str]
    commit: str | None = None
    seed: str | None = None
    runs: list[VerifiedRun] = field(default_factory=list)
    compared: dict[str, Any] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)
    difference: Difference | None = None
    alone: Alone = field(default_factory=Alone)
    also: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    reason: str | None = None
    failures: list[Failure] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what `seed-init verify --against --json` prints."""
        content = {
            "format": FORMAT,
            "verdict": self.verdict,
            "command": list(self.command),
            "against": {
                "name": self.names[1],
                "commit": self.commit,
                "command": list(self.other_command),
                "copied": self.copied,
                "linked": self.linked,
            },
            "seed": self.seed,
            "runs": [run.to_json() for run in self.runs],
            "compared": self.compared,
            "not_compared": self.not_compared,
            "difference": self.difference.to_json() if self.difference else None,
            "alone": asdict(self.alone),
            "also": self.also,
            "reason": self.reason,
            "failures": [asdict(failure) for failure in self.failures],
        }
        shown: dict[str, Any] = redaction.deep(content, names=False)
        return shown


class _Stopped(Exception):
    """No more runs are needed.

    Attributes:
        verdict: that stands.
        reason: for a reader.
    """

    def __init__(self, verdict: str, reason: str) -> None:
        super().__init__(reason)
        self.verdict, self.reason = verdict, reason


@dataclass
class _Version:
    """One of the two versions, and its runs.

    Attributes:
        name: for a reader.
        runs: makes them.
        root: of its code.
        tree: the worktree; None for the working tree.
    """

    name: str
    runs: Runs
    root: Path
    tree: Worktree | None = None

    def run(self, what: str, plan: dict[str, Any] | None = None) -> Outcome:
        """Run the command once more, and name the run after the version."""
        outcome = self.runs.run(
            conditions.base(), plan or records.PLAN, f"{self.name}{what}", closer=plan is not None
        )
        outcome.name = f"{self.name}, {outcome.name}"
        if self.tree is not None:
            _as_in_the_working_tree(outcome.run.stdout_file, self.tree)
        return outcome


def _as_in_the_working_tree(file: Path, tree: Worktree) -> None:
    """Put the path of the working tree into an output in place of that of the worktree."""
    there, here = str(tree.root).encode(), str(tree.repository.root).encode()
    with file.open("rb") as content:
        lines = [line.replace(there, here) for line in content]
    file.write_bytes(b"".join(lines))


def against(request: Request, other: Other, progress: Progress | None = None) -> Against:
    """Run two versions of a command and compare their training.

    Args:
        request: the command of this version, and how it is run.
        other: the other version.
        progress: told what is being done.

    Raises:
        CannotCompare: the revision cannot be checked out, or would be the same code.
        commands.CannotStart: there is no such command.
        output_lines.BadPattern: `ignore_output` has one that is no regular expression.
        signals.Ended: a signal came.
        OSError: there is no place for traces.
    """
    output_lines.patterns(request.ignore_output)
    try:
        # A signal between two runs as well: the worktree has to go.
        with (
            signals.ending_on_signals(),
            workspace.results("verify") as directory,
            workspace.RunDirectory() as own,
        ):
            places = directory / "runs", directory / "other"
            for place in places:
                place.mkdir()
            this = _Version(
                THIS, Runs(request, progress, places[0], own), request.cwd or Path.cwd()
            )
            this.runs.plan_for(1)
            with _other(request, other, directory) as (name, there, tree):
                # Now: nobody wants to hear of it after the first run only.
                environment = requests.environment_of(there)
                commands.resolve(there.command, environment, there.cwd or Path.cwd(), directory)
                if tree is not None:
                    this.root = tree.repository.root
                runs = Runs(there, progress, places[1], own)
                runs.plan_for(1)
                that = _Version(name, runs, tree.root if tree else this.root, tree)
                return _Comparing(this, that, other).result()
    except worktrees.NoWorktree as error:
        raise CannotCompare(str(error)) from None


@contextmanager
def _other(
    request: Request, other: Other, directory: Path
) -> Iterator[tuple[str, Request, Worktree | None]]:
    """Prepare the other version: its name, how it is run, and its worktree."""
    command = other.command or request.command
    if other.revision is None:
        yield OTHER_COMMAND, replace(request, command=command), None
        return
    repository = worktrees.find(request.cwd or Path.cwd())
    commit = worktrees.commit_of(repository, other.revision)
    _check_that_code_differs(repository, commit, other)
    with worktrees.checked_out(repository, commit, directory) as tree:
        tree.link(other.links)
        environment = requests.environment_of(request)
        there = replace(
            request,
            command=_moved_command(command, tree),
            cwd=tree.directory,
            environment=tree.environment(environment),
        )
        yield without_secrets(other.revision), there, tree


def _check_that_code_differs(repository: Repository, commit: str, other: Other) -> None:
    """Refuse a comparison of one code with itself, which could prove nothing."""
    is_same = worktrees.commit_of(repository, "HEAD") == commit
    if is_same and other.command is None and not worktrees.has_changes(repository):
        raise CannotCompare(
            f"{other.revision} is what is checked out here, and nothing is changed since: both "
            "would be the same code; give an older revision, such as HEAD~1"
        )


def _moved_command(command: tuple[str, ...], tree: Worktree) -> tuple[str, ...]:
    """Return a command for a worktree: its program may be one that git does not keep."""
    words = [tree.moved(word) for word in command]
    here = tree.repository.root / tree.repository.below / words[0]
    if "/" in words[0] and not (tree.directory / words[0]).exists() and here.exists():
        words[0] = str(here)  # .venv/bin/python
    return tuple(words)


class _Comparing:
    """Makes the runs of two versions, and finds the verdict."""

    def __init__(self, this: _Version, that: _Version, other: Other) -> None:
        self._this, self._that = this, that
        self._outcomes: list[Outcome] = []
        self._result = Against(
            IDENTICAL,
            this.runs.request.command,
            other.command or this.runs.request.command,
            (this.name, that.name),
            that.tree.commit if that.tree is not None else None,
            requests.seed_of(this.runs.environment),
        )

    def result(self) -> Against:
        """Make the runs and return what came of them."""
        found = self._result
        try:
            self._compare()
        except _Stopped as stopped:
            found.verdict, found.reason = stopped.verdict, stopped.reason
        found.runs = [outcome.summary() for outcome in self._outcomes]
        found.failures = coverage.failures_of(self._outcomes)
        if found.verdict == IDENTICAL and found.failures:
            found.verdict = UNPROVEN
            found.reason = "nothing that was seen differs, but not everything was seen"
        return found

    def _run(
        self, version: _Version, what: str = "", plan: dict[str, Any] | None = None
    ) -> Outcome:
        outcome = version.run(what, plan)
        self._outcomes.append(outcome)
        return outcome

    def _compare(self) -> None:
        first = self._run(self._this)
        if first.run.status:
            raise _Stopped(FAILED, _failed(first, self._this))
        self._give_inputs(first)
        second = self._run(self._that)
        if second.run.status:
            raise _Stopped(FAILED, _failed(second, self._that) + self._hint())
        self._check_whose_code(second)
        self._note_what_was_compared(first, second)
        found = self._result
        difference, found.alone = self._difference(first, second)
        if difference is None or difference.level != "output":
            self._note_other_differences(first, second)
        if difference is None:
            self._check_evidence(first, second)
            return
        self._check_that_each_repeats(first, second, difference)
        found.verdict, found.difference = DIFFERENT, difference
        if difference.step is not None and difference.level != "trace":
            self._look_closely(first, second, difference)
        found.difference.runs = list(found.names)

    # --- What the revision needs

    def _give_inputs(self, first: Outcome) -> None:
        """Copy what the first run has read and git does not keep, for the run of the revision."""
        tree = self._that.tree
        if tree is None:
            return
        events = [event for process in first.processes for event in process.of("file")]
        read = [Path(event["path"]) for event in events if event["mode"] == "read"]
        written = [Path(event["path"]) for event in events if event["mode"] == "written"]
        inputs = worktrees.inputs(tree.repository, read, written)
        try:
            copied, linked = tree.copy(inputs)
        except OSError as error:
            raise CannotCompare(
                f"{error.filename} cannot be copied for the revision: {error.strerror}; set TMPDIR "
                "to a directory with more room"
            ) from None
        self._result.copied = [str(name) for name in copied]
        self._result.linked = [str(name) for name in linked]

    def _hint(self) -> str:
        """Return what may be missing where the revision's run failed, for the end of a line."""
        tree = self._that.tree
        if tree is None:
            return ""
        hints = list(tree.left_out)
        missing = [
            name
            for name in worktrees.untracked(tree.repository)
            if not (tree.root / name).exists() and name.name not in LEFT_OUT
        ]
        if missing:
            named = ", ".join(map(str, missing[:3]))
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            hints.append(f"git does not keep {named}{more}: if it is needed, give it with --link")
        return "".join(f"; {hint}" for hint in hints)

    def _check_whose_code(self, second: Outcome) -> None:
        """Refuse a proof in which the revision's run has imported the working tree's code.

        Raises:
            _Stopped: it has.
        """
        tree = self._that.tree
        if tree is None:
            return
        modules = {
            Path(file)
            for process in second.processes
            for event in process.of("facts")
            for file in event.get("modules", ())
        }
        foreign = tree.of_the_user(modules)
        if foreign:
            raise _Stopped(
                UNPROVEN,
                f"the run of {self._that.name} imported {_named(foreign)} from the working tree, "
                "where the package is installed (pip install -e): a relative PYTHONPATH, such as "
                "PYTHONPATH=src, has each version import its own",
            )
        events = [event for process in second.processes for event in process.of("file")]
        read, written = (
            [Path(event["path"]) for event in events if event["mode"] == mode]
            for mode in ("read", "written")
        )
        # What git does not keep is the same for both.
        kept = [name for name in tree.of_the_user(read) if (tree.root / name).is_file()]
        if kept:
            raise _Stopped(
                UNPROVEN,
                f"the run of {self._that.name} read {_named(kept)} of the working tree, and not "
                "that of its own: name it by a path relative to the working directory",
            )
        if changed := tree.of_the_user(written, with_linked=True):
            self._result.not_compared.append(
                f"what was written to {_named(changed)}: {self._that.name} has written it in the "
                "working tree itself, because a link or an absolute path leads there"
            )

    # --- What differs

    def _difference(self, first: Outcome, second: Outcome) -> tuple[Difference | None, Alone]:
        failed = bool(coverage.failures_of([first, second]))
        difference, alone = versions.first_difference(first.processes, second.processes, failed)
        if difference is None and not _is_trained(first, second):
            # Nothing of a training was seen: the output is all that there is.
            difference = self._in_output(first, second)
        return difference or self._in_files(first, second), alone

    def _in_output(self, first: Outcome, second: Outcome) -> Difference | None:
        engines = output_lines.of_engines(first.processes)
        ignored = (*self._this.runs.request.ignore_output, *engines)
        compared = output_lines.compare(first.run.stdout_file, second.run.stdout_file, ignored)
        if compared.first is None:
            return None
        text = without_secrets(compared.as_line(self._result.names))
        return Difference("output", text)

    def _in_files(self, first: Outcome, second: Outcome) -> Difference | None:
        difference = written_files.first_difference(
            first.files, second.files, self._this.runs.kept_files
        )
        if difference is None:
            return None
        line = difference.as_line(self._result.names)
        return Difference("file", line, tensor=difference.entry or None)

    def _note_other_differences(self, first: Outcome, second: Outcome) -> None:
        """Note what differs in the output, which does not decide where training was compared."""
        difference = self._in_output(first, second)
        if difference is not None:
            self._result.also.append(difference.text)

    def _check_that_each_repeats(
        self, first: Outcome, second: Outcome, difference: Difference
    ) -> None:
        """Run each version again: where one differs from itself as early, nothing is proven.

        Raises:
            _Stopped: it does.
        """
        for version, outcome in ((self._this, first), (self._that, second)):
            again = self._run(version, " again")
            own, _ = self._difference(outcome, again)
            if own is not None and steps.precedence(own) <= steps.precedence(difference):
                raise _Stopped(
                    UNPROVEN,
                    f"{version.name} does not repeat itself, so that a difference says nothing: "
                    f"{own.first_observed}; seed-init verify -- CMD says why",
                )

    def _look_closely(self, first: Outcome, second: Outcome, difference: Difference) -> None:
        if not self._this.runs.request.locate:
            return
        window = locating.window_of(difference, first.processes)
        both = (*first.processes, *second.processes)
        compiled = locating.is_compiled(list(both))
        plan = window.plan(operators=not compiled)
        looks = [self._run(v, " closely", plan).processes for v in (self._this, self._that)]
        trail = [difference.first_observed]
        if compiled:
            trail.append("the program is compiled: what happens within a graph is not seen")
        pairs, _ = paired(*looks)
        if difference.process >= len(pairs):
            return
        roots = self._this.root, self._that.root
        sides = [Look(process, root) for process, root in zip(pairs[difference.process], roots)]
        fine, alone = versions.first_in_step(*sides)
        found = self._result
        found.alone.first += alone.first[: MOST - len(found.alone.first)]
        found.alone.second += alone.second[: MOST - len(found.alone.second)]
        if fine is None:
            difference.trail = trail
            return
        again, _ = versions.first_difference(looks[0], looks[1])
        found.difference = locating.merged(difference, again, fine, window, trail)
        found.difference.who = difference.who

    # --- What was looked at

    def _note_what_was_compared(self, first: Outcome, second: Outcome) -> None:
        common = in_common(first.processes, second.processes)
        stdout = first.run.stdout_file
        lines = output_lines.compare(stdout, stdout, self._this.runs.request.ignore_output).lines
        self._result.compared = {
            "processes": common.processes,
            "steps": common.steps,
            "final_weights": common.final_weights,
            "generators": list(common.generators),
            "stdout_lines": lines,
            "files": sorted(first.files.keys() & second.files.keys()),
        }
        notes = self._result.not_compared
        if self._that.tree is not None:
            notes += self._that.tree.left_out
        for outcome in (first, second):
            notes += [f"{outcome.name}: {note}" for note in outcome.run.notes if note not in notes]
        if not common.steps:
            notes.append("training steps: no optimizer of torch.optim made a step in both")

    def _check_evidence(self, first: Outcome, second: Outcome) -> None:
        found = self._result
        # The last positions of generators say nothing of a program that draws nothing.
        if not _is_trained(first, second) and not (
            found.compared["stdout_lines"] or found.compared["files"]
        ):
            raise _Stopped(UNPROVEN, NOTHING_SEEN)


def _is_trained(first: Outcome, second: Outcome) -> bool:
    """Return whether steps or final weights of both versions were seen."""
    common = in_common(first.processes, second.processes)
    return bool(common.steps or common.final_weights)


def _named(names: Sequence[Path]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"


LEFT_OUT = ("__pycache__", ".venv", "venv", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache")
"""What git seldom keeps and no run needs."""


def _failed(outcome: Outcome, version: _Version) -> str:
    run = outcome.run
    how = run.cut_short() or f"exit status {run.status}"
    last = [line for line in run.last_errors() if line.strip()][-1:]
    said = f"; its last line on stderr: {without_secrets(last[0])}" if last else ""
    # No colon behind the name of a branch, which may look like that of a secret.
    return f"the command failed in {version.name} with {how}{said}"


def shown_command(words: tuple[str, ...]) -> str:
    """Return the words of a command for a reader, without secrets."""
    return shlex.join(words_without_secrets(words))
