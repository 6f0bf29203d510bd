# SPDX-License-Identifier: Apache-2.0
"""`seed-init verify --golden` compares a run with a golden one that a repository keeps."""

import argparse
import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from seed_init.cli import arguments, output, printing
from seed_init.cli.errors import LOST, CommandError
from seed_init.cli.verify_lines import STATUSES, difference_lines
from seed_init.proof.comparing import output_lines
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.running import commands
from seed_init.proof.running.progress import Line
from seed_init.proof.trace import journal
from seed_init.proof.verifying import golden, golden_runs, verdict
from seed_init.proof.verifying.golden import Section
from seed_init.proof.verifying.golden_runs import NO_GOLDEN_RUN, Compared
from seed_init.proof.verifying.runs import Progress, Request
from seed_init.proof.verifying.verdict import Verification

STATUSES_HERE = {**STATUSES, NO_GOLDEN_RUN: 3}
"""Verdict to exit status."""

SHOWN = 8
"""Facts of another environment that are shown; --json has all."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `verify`."""
    parser.add_argument(
        "--golden",
        type=Path,
        metavar="FILE",
        help="run the command once, and compare the run with the golden one that FILE has for this "
        "environment",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="write the golden run of this environment into the file of --golden, if the runs of "
        "the command are identical",
    )


def check(options: argparse.Namespace, file: Path) -> list[Section]:
    """Return the golden runs that are there.

    Args:
        options: of the command line.
        file: that of --golden.

    Raises:
        CommandError: the file has something else, or there is none and --update is not given.
    """
    arguments.here()
    if options.update:
        output.check(file, force=True)
        if not file.exists():
            return []
    try:
        sections = golden.read(file)
    except golden.NotGolden as error:
        raise CommandError(str(error)) from None
    if not sections and not options.update:
        raise CommandError(f"{file} has no golden run; --update writes one")
    return sections


def run(options: argparse.Namespace, request: Request) -> int:
    """Compare a run with the golden one, print the result, and return the exit status.

    Raises:
        CommandError: the file has no golden run, or the command cannot be run.
    """
    file = options.golden
    sections = check(options, file)
    result = _asked(lambda progress: golden_runs.compare(request, file, sections, progress))
    text = (
        printing.as_json(result.to_json()) if options.json else printing.as_text(as_lines(result))
    )
    return output.tell(text, STATUSES_HERE[result.verdict])


def update(
    options: argparse.Namespace, request: Request, shown: Callable[[Verification], list[str]]
) -> int:
    """Verify the command, write its golden run, print the result, and return the exit status.

    Args:
        options: of the command line.
        request: what to run and to compare.
        shown: the result of a verification, as a person reads it.

    Raises:
        CommandError: the file has something else, the command cannot be run, or the golden run
            cannot be written.
    """
    # The command may leave this directory.
    file = options.golden.absolute()
    check(options, options.golden)
    result, section = _asked(lambda progress: golden_runs.made(request, progress))
    lost = None
    if section is not None:
        try:
            _write(file, options, section)
        except (OSError, golden_runs.OtherOptions) as error:
            lost = f"cannot write {options.golden}: {getattr(error, 'strerror', None) or error}"
    if options.json:
        told = printing.as_json(result.to_json())
    else:
        told = printing.as_text([*shown(result), *_written(options.golden, section, lost)])
    status = output.tell(told, STATUSES[result.verdict])
    if lost or result.lost:
        raise CommandError(lost or result.lost or "", status=status or LOST)
    return status


def _write(file: Path, options: argparse.Namespace, section: Section) -> None:
    """Put a golden run into its file, with what another command has written there meanwhile.

    Raises:
        OSError: the file cannot be written.
        CommandError: the file has become something else.
        golden_runs.OtherOptions: the other golden runs were written with other options.
    """
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        sections = check(options, file)
        output.put(file, golden.as_text(golden_runs.joined(sections, section)), force=True)
    finally:
        os.close(folder)


def _written(file: Path, section: Section | None, lost: str | None) -> list[str]:
    if lost is not None:
        return []
    if section is None:
        return ["", f"no golden run: {file} stays as it is"]
    steps = counted(section.last, "step")
    checkpoints = counted(section.checkpoints, "checkpoint")
    return ["", f"golden run written to {file}: {checkpoints} of {steps}, for this environment"]


Done = TypeVar("Done")


def _asked(work: Callable[[Progress | None], Done]) -> Done:
    try:
        with Line() as line:
            return work(line if line.shown else None)
    except (commands.CannotStart, output_lines.BadPattern, golden_runs.OtherOptions) as error:
        raise CommandError(str(error)) from None
    except (OSError, journal.Unreadable) as error:
        # The status of a traceback would say that the runs differ.
        raise CommandError(f"the run cannot be compared: {error}") from None


def as_lines(result: Compared) -> list[str]:
    """Return the result, on one screen."""
    # Before the verdict: it is read in the light of the environment.
    lines = _environment(result)
    lines += [_headline(result), ""]
    for run in result.runs:
        status = f", exit status {run.status}" if run.status else ""
        lines.append(f"  {run.name}  {run.seconds:6.1f} s{status}")
    if result.difference is not None:
        lines += ["", *difference_lines(result.difference), *_what_to_do(result)]
    return [*lines, "", *_coverage(result)]


def _environment(result: Compared) -> list[str]:
    if not result.unlike:
        return []
    lines = [f"{result.file} has no golden run for this environment; the nearest one differs in:"]
    lines += [f"  {what}: {there}, and here {here}" for what, there, here in result.unlike[:SHOWN]]
    more = len(result.unlike) - SHOWN
    return [*lines, *([f"  and {more} more; --json has them"] if more > 0 else []), ""]


def _headline(result: Compared) -> str:
    seed = f"SEED={result.seed}" if result.seed else "SEED is not set in the environment"
    command = f"{' '.join(words_without_secrets(result.command))} ({seed})"
    if result.verdict == verdict.IDENTICAL:
        where = " of another environment" if result.unlike else ""
        return f"IDENTICAL: {command}: the golden run{where} in {result.file}"
    if result.verdict == verdict.DIFFERENT:
        return f"DIFFERENT: {command}: not the golden run in {result.file}"
    if result.verdict == NO_GOLDEN_RUN:
        return (
            f"NO GOLDEN RUN: {command}: {result.file} has none for this environment, and the run "
            "is not the nearest one"
        )
    if result.verdict == verdict.UNPROVEN:
        return f"UNPROVEN: {command}: {result.reason}"
    return f"FAILED: {result.reason}"


def _what_to_do(result: Compared) -> list[str]:
    if result.verdict == NO_GOLDEN_RUN:
        return ["  then: --update adds the golden run of this environment, and keeps the others"]
    if result.reason is not None:
        return [f"  {result.reason}"]
    lines = []
    commit = (result.commit or "").partition(" ")[0]
    if commit:
        lines.append(f"  then: seed-init verify --against {commit} -- CMD names tensor and line")
    return [*lines, "  if it is meant: --update writes the golden run anew"]


def _coverage(result: Compared) -> list[str]:
    lines = [f"failed: {failure}" for failure in result.failures]
    section = result.section
    if section is None:
        return lines
    parts = [
        f"{counted(section.checkpoints, 'checkpoint')} of {counted(section.last, 'step')}"
        if section.checkpoints
        else "",
        f"{counted(section.output[0], 'line')} of output, exit status",
        *(f"file {name}" for name in section.files),
    ]
    return [*lines, f"compared: {'; '.join(part for part in parts if part)}"]
