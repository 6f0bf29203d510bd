# SPDX-License-Identifier: Apache-2.0
"""`seed-init audit` runs a command once and lists what another run may not repeat."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seed_init.cli import arguments, output, printing
from seed_init.cli.errors import LOST, CommandError
from seed_init.cli.tables import table
from seed_init.libraries.uncovered import REMEDIES as REMEDY_OF
from seed_init.proof.auditing import collecting
from seed_init.proof.auditing.collecting import KINDS, REMEDIES, Finding
from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, in_place, workspace
from seed_init.proof.trace import journal, record_parts

FORMAT = 1
"""The number of the JSON's format. It changes when the meaning of an entry changes."""

EXAMPLES = """\
examples:
  seed-init audit -- python train.py --epochs 1
  seed-init audit --fail-on unseeded,clones -- python -m project.train
  seed-init audit --json -o audit.json -- torchrun --nproc-per-node 2 train.py
  seed-init audit -- notebook.ipynb
"""

NOTHING_OBSERVED = (
    "no process of the command was observed: it runs no Python that has the hook, or runs it with "
    "SEED_INIT=0 or -S; run 'seed-init install' with that Python"
)


BLIND = 4
"""The exit status where nothing was found and not everything was seen: that of `verify`."""


@dataclass(frozen=True)
class Result:
    """What one audited run of a command has shown.

    Attributes:
        command: the words, which are shown without secrets.
        status: the command's exit status; 128 + n if signal n ended it.
        processes: how many processes were observed.
        findings: what another run may not repeat, in order.
        not_seen: what could not be observed, one line each.
        covered: imported libraries that have generators which follow SEED.
        indirect: imported libraries that have generators which do not -> their importer.
    """

    command: Sequence[str]
    status: int
    processes: int
    findings: Sequence[Finding]
    not_seen: Sequence[str]
    covered: Sequence[str] = ()
    indirect: Mapping[str, str] = field(default_factory=dict)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `audit` to its parser."""
    kinds = "".join(f"\n  {kind:<10} {what}" for kind, what in KINDS.items())
    parser.description = (
        "Run a command once, unmodified, and list by file and line:\n"
        f"{kinds}\n\nExit status 0: done. 1: something of a --fail-on kind was found. 2: the "
        "command failed,\nor could not be started or observed. 4: nothing of a --fail-on kind was "
        "found, but\nnot everything was seen, as is shown. 5: done, but FILE or the output could "
        "not be\nwritten; what cannot go to FILE goes to stdout."
    )
    arguments.add_examples(parser, EXAMPLES)
    parser.add_argument(
        "--fail-on",
        type=_kinds,
        action="extend",
        default=[],
        metavar="KIND",
        help="exit with 1 if there is a finding of this kind; several with commas, any for every "
        "one; repeatable",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object; the command's standard output then goes to stderr, unless "
        "the object goes to a file",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the findings there, not to stdout"
    )
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    arguments.add_command(parser)
    parser.set_defaults(run=run)


def _kinds(text: str) -> list[str]:
    kinds = [word.strip() for word in text.split(",") if word.strip()]
    for kind in kinds:
        if kind != "any" and kind not in KINDS:
            accepted = ", ".join((*KINDS, "any"))
            raise argparse.ArgumentTypeError(f"{kind!r} is no kind of finding; give {accepted}")
    return list(KINDS) if "any" in kinds else kinds


def run(options: argparse.Namespace) -> int:
    """Run the command, print what was found, and return 0, 1, 2, 4 or 5 as the help says.

    Raises:
        CommandError: the command cannot be started or observed, or FILE must not be written.
    """
    if options.output is not None:
        output.check(options.output, options.force)
    # The command may leave this directory, or remove it.
    cwd = arguments.here()
    try:
        with workspace.results("audit") as own:
            status = _observed(options, own)
            processes = journal.read(own / "trace")
    except (commands.CannotStart, journal.Unreadable) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"nothing can be observed here: {error}") from None
    result = _result(options.command, status, processes, cwd)
    text = printing.as_json(as_json(result)) if options.json else printing.as_text(as_lines(result))
    is_blind = collecting.is_blind(processes, options.fail_on)
    outcome = _tell(text, _outcome(result, options.fail_on, is_blind), options, cwd)
    if status:
        raise CommandError(f"the command ended with status {status}", status=outcome)
    return outcome


def _observed(options: argparse.Namespace, own: Path) -> int:
    """Run the command and observe its processes.

    Args:
        options: the parsed options.
        own: a directory for this run, which gets the trace.

    Returns:
        The command's exit status, as shells show it.

    Raises:
        CannotStart: there is no such command.
    """
    command = commands.resolve(options.command, os.environ, Path.cwd(), own)
    if command.note:
        printing.error(command.note, "seed-init audit")
    trace = own / "trace"
    journal.write_plan(trace, collecting.PLAN)
    ours = {"SEED_INIT_TRACE": str(trace), record_parts.RECORDER: "audit"}
    is_aside = options.json and options.output is None and sys.stderr is not None
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        return in_place.run(
            command.words,
            {**os.environ, **ours},
            program=command.program,
            stdout=sys.stderr.fileno() if is_aside else None,
        ).status
    except OSError as error:
        raise commands.not_executed(command.words[0], error.errno or 0) from None


def _result(
    command: Sequence[str], status: int, processes: Sequence[journal.Process], cwd: Path
) -> Result:
    return Result(
        command,
        status,
        len(processes),
        collecting.relative(collecting.collect(processes), cwd),
        collecting.not_seen(processes) if processes else [_why_nothing(status)],
        collecting.covered(processes),
        collecting.indirect(processes),
    )


def _why_nothing(status: int) -> str:
    """Return why no process was observed; a killed one has mostly written nothing until then."""
    if status - 128 in signal.valid_signals():
        return (
            f"no process of the command was observed: the command ended with status {status}, as "
            f"signal {status - 128} ends a process, before any Python of it had written something"
        )
    return NOTHING_OBSERVED


def _outcome(result: Result, fail_on: Sequence[str], is_blind: bool) -> int:
    """Return the exit status that a result stands for."""
    if result.status or not result.processes:
        return 2
    if any(finding.kind in fail_on for finding in result.findings):
        return 1
    return BLIND if is_blind else 0


def _tell(text: str, outcome: int, options: argparse.Namespace, cwd: Path) -> int:
    """Write or print the result. If writing fails, print the result: a run may have taken hours."""
    if options.output is None:
        return output.tell(text, outcome)
    file = cwd / options.output
    try:
        output.put(file, text + "\n", options.force)
        return outcome
    except OSError as error:
        printing.error(f"cannot write {file}: {error.strerror}", "seed-init audit")
        return output.tell(text, outcome) or LOST


def as_json(result: Result) -> dict[str, Any]:
    """Return the result as one object that JSON can hold, without secrets."""
    kinds = {finding.kind for finding in result.findings}
    content = {
        "format": FORMAT,
        "command": list(result.command),
        "status": result.status,
        "processes": result.processes,
        "findings": [finding.to_json() for finding in result.findings],
        "remedies": {kind: REMEDIES[kind] for kind in KINDS if kind in kinds},
        "not_seen": list(result.not_seen),
        "covered": list(result.covered),
        "indirect": dict(result.indirect),
    }
    shown: dict[str, Any] = redaction.deep(content, names=False)
    return shown


def as_lines(result: Result) -> list[str]:
    """Return the result as a person reads it: by kind, with a line for each place in the code."""
    blocks = [_kind(kind, result.findings) for kind in KINDS]
    if not any(blocks) and result.processes:
        several = "es" if result.processes > 1 else ""
        blocks = [[f"nothing found in {result.processes} process{several}"]]
    blocks.append([f"library {line}" for line in _libraries(result)])
    blocks.append([f"not seen: {line}" for line in result.not_seen])
    return [line for block in blocks if block for line in ("", *block)][1:]


def _kind(kind: str, findings: Sequence[Finding]) -> list[str]:
    rows = [_row(finding) for finding in findings if finding.kind == kind]
    if not rows:
        return []
    listed = [f"  {line}" for line in table(rows)]
    return [f"{kind}: {KINDS[kind]}", *listed, f"  remedy: {REMEDIES[kind]}"]


def _libraries(result: Result) -> list[str]:
    lines = [f"{name}: has a generator of its own, which follows SEED" for name in result.covered]
    for name, importer in result.indirect.items():
        imported = f"imported by {importer}; " if importer else ""
        lines.append(
            f"{name}: {imported}has a generator of its own, which SEED does not reach "
            f"({REMEDY_OF[name]})"
        )
    return lines


def _row(finding: Finding) -> tuple[str, ...]:
    ranks = f"ranks {','.join(map(str, finding.ranks))}" if finding.ranks else ""
    what = "; ".join(part for part in (finding.what, finding.detail, ranks) if part)
    place = finding.file if finding.kind == "alike" else f"{finding.file}:{finding.line}"
    return place, f"{finding.count}x", what, finding.text
