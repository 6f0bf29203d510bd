# SPDX-License-Identifier: Apache-2.0
"""`seed-init verify` runs a command several times and compares the runs, bit for bit."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path

from seed_init.cli import arguments, output, printing, verify_against, verify_golden
from seed_init.cli.errors import LOST, CommandError
from seed_init.cli.verify_lines import STATUSES, difference_lines
from seed_init.proof.comparing import output_lines
from seed_init.proof.comparing.values import counted
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.running import commands
from seed_init.proof.running.progress import Line
from seed_init.proof.trace import journal
from seed_init.proof.verifying import resuming, verdict, verifier
from seed_init.proof.verifying.runs import Request
from seed_init.proof.verifying.verdict import Verification

EXAMPLES = """\
examples:
  seed-init verify -- python train.py --epochs 1
  seed-init verify --file 'out/*.pt' --ignore-output 'took .* s$' -- python -m project.train
  seed-init verify -- torchrun --nproc-per-node 2 train.py
  seed-init verify -- notebook.ipynb
  seed-init verify --portable --emulate Haswell,EPYC -- python train.py
  seed-init verify --resume-after 300 -- python train.py --checkpoint {dir}/last.pt
  seed-init verify --against main -- python train.py
  seed-init verify --golden tests/golden.txt --update -- python train.py --max-steps 20
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `verify` to its parser."""
    parser.description = (
        "Run a command, unmodified, in fresh processes, and compare every training "
        "step, the final weights, the generators, standard output, exit status and files. Exit "
        "status 0: identical. 1: not; the first difference is shown. 2: the command failed. "
        "3: the file of --golden has no run of this environment. "
        "4: nothing that was seen differs, but an instrument failed, which is shown, or nothing "
        "was seen but the exit status: nothing is proven. 5: identical, but a record or the "
        "output could not be written."
    )
    arguments.add_examples(parser, EXAMPLES)
    _add_what_is_changed(parser)
    _add_other_machines(parser)
    _add_resuming(parser)
    verify_against.add(parser)
    verify_golden.add(parser)
    _add_what_is_compared(parser)
    parser.add_argument(
        "--no-locate",
        dest="locate",
        action="store_false",
        help="do not rerun the step at which the runs part",
    )
    parser.add_argument(
        "--records",
        type=Path,
        metavar="DIR",
        help="write the record of each run there, with the verdict, for seed-init report",
    )
    arguments.add_runs(parser)
    arguments.add_command(parser)
    parser.set_defaults(run=run, check=lambda options: _check(options, parser))


def _add_what_is_changed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=arguments.at_least(2), default=2, metavar="N", help="runs to compare (2)"
    )
    parser.add_argument(
        "--no-perturb",
        dest="perturb",
        action="store_false",
        help="repeat the same run, and change nothing that must not matter",
    )
    parser.add_argument(
        "--perturb",
        action="store_true",
        default=True,
        help="change hash seed, listing order, CPU load, address layout, temporary directory and "
        "start time in the runs after the first (the default)",
    )


def _add_other_machines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--portable",
        action="store_true",
        help="make more runs, each as on another machine: with one CPU, with other CPUs, and with "
        "other instructions",
    )
    parser.add_argument(
        "--emulate",
        type=_models,
        default=(),
        metavar="MODELS",
        help="make a run with each CPU of a list with commas, such as Haswell,EPYC, which "
        "qemu-user emulates for the first steps; --portable is on then",
    )
    parser.add_argument(
        "--emulate-steps",
        type=arguments.at_least(1),
        metavar="N",
        help="training steps to emulate; by default as many as the time allows, 5 at most",
    )
    parser.add_argument(
        "--emulate-seconds",
        type=arguments.seconds,
        default=600.0,
        metavar="SECONDS",
        help="end an emulated run after that time, and compare the steps that it made (600)",
    )


def _add_resuming(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume-after",
        type=arguments.at_least(1),
        metavar="STEPS",
        help="stop a run after so many optimizer steps, run the command again, and compare what "
        "goes on from the checkpoint with a run that was never stopped",
    )
    parser.add_argument(
        "--kill",
        choices=("TERM", "KILL"),
        help="the signal that stops the run; SIGTERM by default, and SIGKILL 30 s later",
    )
    parser.add_argument(
        "--resume-command",
        type=_words,
        metavar="CMD",
        help="the command that goes on, as one word of the shell; by default the command itself",
    )


def _words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no command ({error}); quote it as for a shell"
        ) from None
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} is no command; give its words")
    return words


NOT_WITH_RESUMING = {
    "runs": "--runs",
    "portable": "--portable",
    "emulate": "--emulate",
    "records": "--records",
    "ignore_output": "--ignore-output",
    "golden": "--golden",
}
"""Options that say something of other runs than those of --resume-after."""


NOT_WITH_ONE_RUN = {"runs": "--runs", "perturb": "--no-perturb", "locate": "--no-locate"}
"""Options that say something of several runs of one version: --golden makes one, without --update.
--against compares two versions, and repeats them as often as it must."""


def _check(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse options that do not go together, and an option that got half of a command.

    Raises:
        CommandError: there are some.
    """
    _check_resuming(options, parser)
    arguments.refuse_unquoted("--resume-command", options.resume_command, options)
    if verify_against.is_asked(options):
        mode, refused = "--against", {**NOT_WITH_ONE_RUN}
        refused.pop("locate")
    elif options.golden is not None and not options.update:
        mode, refused = "--golden without --update", NOT_WITH_ONE_RUN
    else:
        return
    for name, option in refused.items():
        if getattr(options, name) != parser.get_default(name):
            raise CommandError(f"{mode} goes without {option}: leave one of them out")


def _check_resuming(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse options that do not go together.

    Raises:
        CommandError: there are some.
    """
    if options.resume_after is None:
        for name in ("kill", "resume_command"):
            if getattr(options, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise CommandError(f"{option} needs --resume-after with a number of steps")
        return
    for name, option in NOT_WITH_RESUMING.items():
        if getattr(options, name) != parser.get_default(name):
            raise CommandError(f"{option} does not go with --resume-after; leave one of them out")


def _models(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no CPU; give one, such as Haswell")
    return names


def _add_what_is_compared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ignore-output",
        action="append",
        default=[],
        metavar="REGEX",
        help="leave lines of standard output out in which this is found; repeatable",
    )
    parser.add_argument(
        "--file",
        type=_pattern,
        action="append",
        default=[],
        metavar="GLOB",
        help="compare files that the command writes; .pt, .safetensors, .npz and .npy by their "
        "tensors; repeatable",
    )


def _pattern(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("'' is no pattern; give one, such as 'out/*.pt'")
    return text


def run(options: argparse.Namespace) -> int:
    """Verify, print the result, and return the verdict's exit status.

    Raises:
        CommandError: the command cannot be started or its runs not be compared, an option is
            wrong, or a record could not be written.
    """
    arguments.here()
    options.check(options)
    if options.emulate_steps is not None and not options.emulate:
        raise CommandError("--emulate-steps needs --emulate with the CPUs, such as Haswell,EPYC")
    if verify_against.is_asked(options):
        _refuse_with(options, "--against", (*RUNS_OF_ONE_VERSION, "golden", "update"))
        return verify_against.run(options, _request(options))
    if options.link:
        raise CommandError("--link needs --against with a revision, which gets the link")
    if options.update and options.golden is None:
        raise CommandError("--update needs --golden with the file that it writes")
    if options.golden is not None and not options.update:
        _refuse_with(options, "--golden without --update", RUNS_OF_ONE_VERSION)
        return verify_golden.run(options, replace(_request(options), facts=True))
    if options.records is not None and (problem := output.check_folder(options.records)):
        # Now: nobody wants to hear of it after the last run only.
        printing.error(f"there will be no records: {problem}", "seed-init verify")
    if options.golden is not None:
        return verify_golden.update(options, replace(_request(options), facts=True), as_lines)
    result = _verified(_request(options))
    text = (
        printing.as_json(result.to_json()) if options.json else printing.as_text(as_lines(result))
    )
    status = output.tell(text, STATUSES[result.verdict])
    if result.lost:
        raise CommandError(result.lost, status=status or LOST)
    return status


RUNS_OF_ONE_VERSION = ("portable", "emulate", "records", "resume_after")
"""Options that ask for other runs than those of --against and --golden."""


def _refuse_with(options: argparse.Namespace, option: str, others: tuple[str, ...]) -> None:
    """Refuse options that mean nothing beside another one.

    Raises:
        CommandError: one of them is given.
    """
    for name in others:
        if getattr(options, name, None):
            shown = name.replace("_", "-")
            raise CommandError(f"{option} goes without --{shown}: leave one of them out")


def _request(options: argparse.Namespace) -> Request:
    return Request(
        command=tuple(options.command),
        runs=options.runs,
        perturb=options.perturb,
        ignore_output=tuple(options.ignore_output),
        files=tuple(options.file),
        locate=options.locate,
        stdin=options.stdin,
        timeout=options.timeout,
        records=options.records,
        portable=options.portable,
        emulate=options.emulate,
        emulate_steps=options.emulate_steps,
        emulate_seconds=options.emulate_seconds,
        resume_after=options.resume_after,
        kill=options.kill or "TERM",
        resume_command=options.resume_command or (),
    )


def _verified(request: Request) -> Verification:
    try:
        with Line() as line:
            prove = verifier.verify if request.resume_after is None else resuming.verify
            return prove(request, line if line.shown else None)
    except (commands.CannotStart, output_lines.BadPattern) as error:
        raise CommandError(str(error)) from None
    except (OSError, journal.Unreadable) as error:
        # The status of a traceback would say that the runs differ.
        raise CommandError(f"the runs cannot be compared: {error}") from None


def as_lines(result: Verification) -> list[str]:
    """Return the result, on one screen."""
    lines = [_headline(result), ""]
    lines += _runs(result)
    if result.machines:
        lines += ["", *_machines(result)]
    if result.difference is not None:
        lines += ["", *difference_lines(result.difference, result.broke_equality)]
    return [*lines, "", *_coverage(result)]


def _headline(result: Verification) -> str:
    seed = f"SEED={result.seed}" if result.seed else "SEED is not set in the environment"
    command = " ".join(words_without_secrets(result.command))
    if result.resumed is not None and result.verdict in (verdict.IDENTICAL, verdict.DIFFERENT):
        return f"{result.verdict.upper()}: {command} ({seed}): {_resumed(result)}"
    if result.verdict == verdict.IDENTICAL:
        others = ", ".join(machine.machine for machine in result.machines)
        where = f": on this machine, and as with {others}" if others else ""
        return f"IDENTICAL: {command} ({seed}){where}"
    if result.verdict == verdict.DIFFERENT:
        where = ": the same on this machine, and not on others" if result.machines else ""
        return f"DIFFERENT: {command} ({seed}){where}"
    if result.verdict == verdict.UNPROVEN:
        return f"UNPROVEN: {command} ({seed}): {result.reason}"
    return f"FAILED: {result.reason}"


def _resumed(result: Verification) -> str:
    """How the run was stopped and went on, and what came of that."""
    about = result.resumed
    assert about is not None
    after = counted(about.stopped_after, "step")
    text = f"stopped by SIG{about.signal} after {after} and resumed"
    if about.goes_on_after is not None and about.goes_on_after >= 0:
        text += f" behind step {about.goes_on_after}"
    if result.verdict != verdict.IDENTICAL:
        return f"{text}: not what the whole run gives"
    if about.restart is None:
        return f"{text}: the same as the whole run from there to the end"
    return (
        f"{text} as attempt {about.restart}, with its own streams: the same when stopped and "
        "resumed once more"
    )


def _runs(result: Verification) -> list[str]:
    lines = []
    for run in result.runs:
        status = f", exit status {run.status}" if run.status else ""
        lines.append(f"  {run.name}  {run.seconds:6.1f} s  {_changes(run)}{status}")
    return lines


WORDS = {
    "same": "the same",
    "differs": "differs",
    "refused": "refused to start",
    "failed": "could not be imitated",
}
"""What came of an imitated machine."""


def _machines(result: Verification) -> list[str]:
    lines = []
    for machine in result.machines:
        told = f": {machine.told}" if machine.told else ""
        run = f" ({machine.run})" if machine.run else ""
        lines.append(f"machine {machine.machine}{run}: {WORDS[machine.outcome]}{told}")
    return lines


def _changes(run: verdict.VerifiedRun) -> str:
    if run.machine is not None:
        return f"as with {run.machine}"
    if not run.observed:
        return "without training hooks"
    return f"{', '.join(run.changed)} changed" if run.changed else run.arm


def _coverage(result: Verification) -> list[str]:
    if result.resumed is not None or "tensors" not in result.compared:
        return _coverage_of_resuming(result)
    compared = result.compared
    nouns = "step", "rank", "tensor"
    parts = [counted(compared[f"{noun}s"], noun) for noun in nouns if compared[f"{noun}s"]]
    parts += [
        f"{counted(number, 'unit')} of {engine}" for engine, number in compared["units"].items()
    ]
    parts.append(
        f"generators {', '.join(compared['generators'])}" if compared["generators"] else ""
    )
    parts.append(f"{counted(compared['stdout_lines'], 'line')} of output, exit status")
    parts += [f"file {name}" for name in compared["files"]]
    lines = [f"failed: {failure}" for failure in result.failures]
    if compared["moved"]:
        lines.append(_moved(compared["moved"], result.verdict))
    lines += [f"compared: {'; '.join(part for part in parts if part)}"]
    return lines + [f"not compared: {line}" for line in result.not_compared]


def _coverage_of_resuming(result: Verification) -> list[str]:
    about, lines = result.resumed, [f"failed: {failure}" for failure in result.failures]
    if about is not None:
        parts = [f"{counted(about.compared, 'step')} of the resumed run", "exit status"]
        parts += [f"file {name}" for name in result.compared["files"]]
        lines.append(f"compared: {'; '.join(parts)}")
    return lines + [f"not compared: {line}" for line in result.not_compared]


def _moved(number: int, outcome: str) -> str:
    tasks = "a task" if number == 1 else f"{number} tasks"
    same = ", and did the same there" if outcome == verdict.IDENTICAL else ""
    return f"{tasks} went to another worker in another run{same}"
