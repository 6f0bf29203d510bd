# SPDX-License-Identifier: Apache-2.0
"""`seed-init audit`: run a command once and list what another run may not repeat."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seed_init.cli import output, printing, words
from seed_init.cli.tables import table
from seed_init.libraries.uncovered import REMEDIES as REMEDY_OF
from seed_init.proof.auditing import collecting
from seed_init.proof.auditing.collecting import KINDS, REMEDIES, Finding
from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, workspace
from seed_init.proof.trace import journal, record_parts

FORMAT = 1
"""Of the JSON. Another number: another meaning of what is in it."""

EXAMPLE = """\
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


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `audit` to the parser."""
    kinds = "".join(f"\n  {kind:<10} {what}" for kind, what in KINDS.items())
    command = commands.add_parser(
        "audit",
        help="run a command once and list what another run may not repeat",
        description="Run a command once, unmodified, and list by file and line:\n"
        f"{kinds}\n\nExit status 0: done. 1: something of a --fail-on kind was found. 2: the "
        "command failed,\nor could not be started or observed. 5: done, but FILE or the output "
        "could not\nbe written; what cannot go to FILE goes to stdout.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--fail-on",
        type=_kinds,
        action="extend",
        default=[],
        metavar="KIND",
        help="exit with 1 if there is a finding of this kind; several with commas, any for every "
        "one; repeatable",
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object; the command's standard output then goes to stderr, unless "
        "the object goes to a file",
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the findings there, not to stdout"
    )
    command.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    words.add_command(command)
    command.set_defaults(run=run)


def _kinds(text: str) -> list[str]:
    kinds = [word.strip() for word in text.split(",") if word.strip()]
    for kind in kinds:
        if kind != "any" and kind not in KINDS:
            accepted = ", ".join((*KINDS, "any"))
            raise argparse.ArgumentTypeError(f"{kind!r} is no kind of finding; give {accepted}")
    return list(KINDS) if "any" in kinds else kinds


def run(options: argparse.Namespace) -> int:
    """Run the command, print what was found; 0, 1 or 2 as the help says."""
    problem = output.problem(options.output, options.force) if options.output else None
    if problem:
        printing.error(problem, "audit")
        return 2
    try:
        # The command may leave this directory, or remove it.
        place = Path.cwd()
        file = place / options.output if options.output is not None else None
        with workspace.results("audit") as own:
            status = _run(options, own)
            processes = journal.read(own / "trace")
    except (commands.CannotStart, journal.Unreadable) as error:
        printing.error(str(error), "audit")
        return 2
    except OSError as error:
        printing.error(f"nothing can be observed here: {error}", "audit")
        return 2
    findings = collecting.relative(collecting.collect(processes), place)
    not_seen = collecting.not_seen(processes) if processes else [_why_nothing(status)]
    libraries = collecting.covered(processes), collecting.indirect(processes)
    shown = (
        printing.as_json(
            as_json(options.command, status, len(processes), findings, not_seen, *libraries)
        )
        if options.json
        else printing.as_text(as_lines(findings, not_seen, len(processes), *libraries))
    )
    outcome = int(any(one.kind in options.fail_on for one in findings))
    if status or not processes:
        outcome = 2
    outcome = _put(shown, file, options.force, outcome)
    if status:
        printing.error(f"the command ended with status {status}", "audit")
    return outcome


def _why_nothing(status: int) -> str:
    """Why no process was observed: one that is killed has written nothing mostly."""
    if status - 128 in signal.valid_signals():
        return (
            f"no process of the command was observed: the command ended with status {status}, as "
            f"signal {status - 128} ends a process, before any Python of it had written something"
        )
    return NOTHING_OBSERVED


def _put(text: str, file: "Path | None", force: bool, status: int) -> int:
    """Print the result or write it; a run may have taken hours, so it is shown in any case."""
    if file is None:
        return output.tell(text, status)
    try:
        output.put(file, text + "\n", force)
        return status
    except OSError as error:
        printing.error(f"cannot write {file}: {error.strerror}", "audit")
        return output.tell(text, status) or output.LOST


def _run(options: argparse.Namespace, directory: Path) -> int:
    """Run the command with everything of ours passed through; its status as shells show it.

    Raises:
        CannotStart: there is no such command.
    """
    command = commands.resolve(options.command, os.environ, Path.cwd(), directory)
    if command.note:
        printing.error(command.note, "audit")
    trace = directory / "trace"
    journal.write_plan(trace, collecting.PLAN)
    aside = options.json and options.output is None
    sys.stdout.flush()
    try:
        process = subprocess.Popen(
            list(command.words),
            executable=command.program,
            env={**os.environ, "SEED_INIT_TRACE": str(trace), record_parts.RECORDER: "audit"},
            stdout=sys.stderr if aside else None,
        )
    except OSError as error:
        raise commands.not_executed(command, error.errno or 0) from None
    with _passing_signals_on(process):
        status = process.wait()
    return 128 - status if status < 0 else status


@contextlib.contextmanager
def _passing_signals_on(process: "subprocess.Popen[bytes]") -> "Iterator[None]":
    """While the command runs, signals are its own: what was found until then is still shown."""

    def passed(number: int, frame: Any) -> None:
        process.send_signal(number)

    def ignored(number: int, frame: Any) -> None:
        """Nothing: a terminal sends SIGINT and SIGQUIT to the command as well."""

    handlers = {
        signal.SIGTERM: passed,
        signal.SIGHUP: passed,
        signal.SIGINT: ignored,
        signal.SIGQUIT: ignored,
    }
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] != signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


def as_json(
    command: "Sequence[str]",
    status: int,
    processes: int,
    findings: "Sequence[Finding]",
    not_seen: "Sequence[str]",
    covered: "Sequence[str]",
    indirect: "Mapping[str, str]",
) -> dict[str, Any]:
    """The result as one object.

    Args:
        command: its words, which are shown without secrets.
        status: its exit status.
        processes: how many were observed.
        findings: in order.
        not_seen: what could not be watched.
        covered: imported libraries with generators that follow SEED.
        indirect: those with generators that do not -> the library that imported them.
    """
    kinds = {one.kind for one in findings}
    found = {
        "format": FORMAT,
        "command": list(command),
        "status": status,
        "processes": processes,
        "findings": [one.to_json() for one in findings],
        "remedies": {kind: REMEDIES[kind] for kind in KINDS if kind in kinds},
        "not_seen": list(not_seen),
        "covered": list(covered),
        "indirect": dict(indirect),
    }
    shown: dict[str, Any] = redaction.deep(found, names=False)
    return shown


def as_lines(
    findings: "Sequence[Finding]",
    not_seen: "Sequence[str]",
    processes: int,
    covered: "Sequence[str]" = (),
    indirect: "Mapping[str, str] | None" = None,
) -> list[str]:
    """The result as a person reads it: by kind, a line for each place."""
    blocks = []
    for kind, what in KINDS.items():
        rows = [_row(one) for one in findings if one.kind == kind]
        if rows:
            listed = [f"  {line}" for line in table(rows)]
            blocks.append([f"{kind}: {what}", *listed, f"  remedy: {REMEDIES[kind]}"])
    if not blocks and processes:
        blocks.append([f"nothing found in {processes} process{'es' if processes > 1 else ''}"])
    about = [f"{name}: has a generator of its own, which follows SEED" for name in covered]
    about += [
        f"{name}: {f'imported by {by}; ' if by else ''}has a generator of its own, which SEED does "
        f"not reach ({REMEDY_OF[name]})"
        for name, by in (indirect or {}).items()
    ]
    if about:
        blocks.append([f"library {line}" for line in about])
    if not_seen:
        blocks.append([f"not seen: {line}" for line in not_seen])
    return [line for block in blocks for line in ("", *block)][1:]


def _row(one: Finding) -> tuple[str, ...]:
    place = f"{one.file}:{one.line}"
    ranks = f"ranks {','.join(map(str, one.ranks))}" if one.ranks else ""
    told = "; ".join(part for part in (one.what, one.detail, ranks) if part)
    return place, f"{one.count}x", told, one.text
