# SPDX-License-Identifier: Apache-2.0
"""`seed-init verify --against` compares two versions of a program: another revision or command."""

import argparse
import shlex
from pathlib import Path

from seed_init.cli import arguments, output, printing
from seed_init.cli.errors import CommandError
from seed_init.cli.verify_lines import STATUSES, difference_lines
from seed_init.proof.comparing import output_lines
from seed_init.proof.comparing.values import counted
from seed_init.proof.running import commands, worktrees
from seed_init.proof.running.progress import Line
from seed_init.proof.trace import journal
from seed_init.proof.verifying import against, verdict
from seed_init.proof.verifying.against import Against, Other
from seed_init.proof.verifying.runs import Request


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `verify`."""
    parser.add_argument(
        "--against",
        metavar="REV",
        help="compare the training with that of the same command at another revision of git, which "
        "is checked out beside the working tree and removed again",
    )
    parser.add_argument(
        "--against-command",
        type=_words,
        metavar="CMD",
        help="compare the training with that of another command, given as one word; with --against "
        "it is run at that revision",
    )
    parser.add_argument(
        "--link",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="give the revision of --against a file or directory that git does not keep, by a "
        "link; repeatable. What the command was seen to read is copied by itself",
    )


def _words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no command: {error}; quote it as in a shell"
        ) from None
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} is no command; give one as one word")
    return words


def is_asked(options: argparse.Namespace) -> bool:
    """Return whether two versions are to be compared."""
    return options.against is not None or options.against_command is not None


def run(options: argparse.Namespace, request: Request) -> int:
    """Compare two versions, print the result, and return the verdict's exit status.

    Raises:
        CommandError: an option is wrong, the revision cannot be checked out, or the runs cannot be
            compared.
    """
    arguments.refuse_unquoted("--against-command", options.against_command, options)
    other = Other(options.against, options.against_command, _links(options))
    try:
        with Line() as line:
            result = against.against(request, other, line if line.shown else None)
    except (commands.CannotStart, output_lines.BadPattern, against.CannotCompare) as error:
        raise CommandError(str(error)) from None
    except (OSError, journal.Unreadable) as error:
        # The status of a traceback would say that the versions differ.
        raise CommandError(f"the versions cannot be compared: {error}") from None
    text = (
        printing.as_json(result.to_json()) if options.json else printing.as_text(as_lines(result))
    )
    return output.tell(text, STATUSES[result.verdict])


def _links(options: argparse.Namespace) -> tuple[Path, ...]:
    """Return what --link names, relative to the root of the repository."""
    if not options.link:
        return ()
    if options.against is None:
        raise CommandError("--link needs --against with a revision, which gets the link")
    here = arguments.here()
    try:
        root = worktrees.find(here).root
    except worktrees.NoWorktree as error:
        raise CommandError(str(error)) from None
    found = []
    for path in options.link:
        place = (here / path).absolute()
        if not place.exists():
            raise CommandError(f"--link {path}: there is no such file; give one of this tree")
        if not place.is_relative_to(root):
            raise CommandError(f"--link {path}: it is not below {root}, where it would be linked")
        found.append(place.relative_to(root))
    return tuple(found)


def as_lines(result: Against) -> list[str]:
    """Return the result, on one screen."""
    lines = [_headline(result), ""]
    for run in result.runs:
        status = f", exit status {run.status}" if run.status else ""
        lines.append(f"  {run.name}  {run.seconds:6.1f} s{status}")
    if result.difference is not None:
        lines += ["", *difference_lines(result.difference)]
    lines += _alone(result)
    lines += [f"also differs: {line}" for line in result.also]
    return [*lines, "", *_coverage(result)]


def _headline(result: Against) -> str:
    seed = f"SEED={result.seed}" if result.seed else "SEED is not set in the environment"
    command = against.shown_command(result.command)
    if result.other_command != result.command:
        command = f"{command} and {against.shown_command(result.other_command)}"
    commit = f" ({result.commit[:12]})" if result.commit else ""
    both = f"{result.names[0]} and of {result.names[1]}{commit}"
    is_trained = result.compared.get("steps") or result.compared.get("final_weights")
    what = "training" if is_trained else "output"
    if result.verdict == verdict.IDENTICAL:
        return f"IDENTICAL: {command} ({seed}): the {what} of {both} is the same, bit for bit"
    if result.verdict == verdict.DIFFERENT:
        return f"DIFFERENT: {command} ({seed}): the {what} of {both} is not the same"
    if result.verdict == verdict.UNPROVEN:
        return f"UNPROVEN: {command} ({seed}): {result.reason}"
    return f"FAILED: {result.reason}"


def _alone(result: Against) -> list[str]:
    lines = []
    for name, only in zip(result.names, (result.alone.first, result.alone.second)):
        lines += [f"  only in {name}: {what}" for what in only]
    return lines


def _coverage(result: Against) -> list[str]:
    compared = result.compared
    lines = [f"failed: {failure}" for failure in result.failures]
    if result.copied:
        lines.append(f"copied for {result.names[1]}: {', '.join(result.copied)}")
    if result.linked:
        lines.append(f"linked for {result.names[1]}: {', '.join(result.linked)}")
    if compared:
        parts = [
            counted(compared["steps"], "step") if compared["steps"] else "",
            counted(compared["final_weights"], "final parameter")
            if compared["final_weights"]
            else "",
            f"generators {', '.join(compared['generators'])}" if compared["generators"] else "",
            f"{counted(compared['stdout_lines'], 'line')} of output, exit status",
            *(f"file {name}" for name in compared["files"]),
        ]
        lines.append(f"compared: {'; '.join(part for part in parts if part)}")
    return lines + [f"not compared: {line}" for line in result.not_compared]
