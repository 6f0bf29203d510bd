# SPDX-License-Identifier: Apache-2.0
"""`seed-init cost` measures what each determinism level costs a program, and what that buys."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seed_init.cli import arguments, output, printing
from seed_init.cli.errors import LOST, CommandError
from seed_init.cli.tables import table
from seed_init.hook.determinism import UNKNOWN
from seed_init.proof.auditing.collecting import Finding
from seed_init.proof.cost import drawing, judging, limit, measuring
from seed_init.proof.cost.choices import CHOICES, REFERENCE
from seed_init.proof.cost.judging import Judgement, Row, percent
from seed_init.proof.cost.limit import Limit
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.running import commands
from seed_init.proof.running.progress import Line
from seed_init.proof.trace import journal

EXAMPLES = f"""\
examples:
  seed-init cost -- python train.py
  seed-init cost --steps 200 --repeats 5 --plot cost.svg -- python -m project.train
  seed-init cost --only warn,strict -- torchrun --nproc-per-node 2 train.py
  seed-init cost --only warn --fail-above 1.25 -- python train.py

choices for --only:
  {", ".join(CHOICES)}
"""

WITHIN = {
    "fast": "fast is CUDNN_BENCHMARK=1 alone",
    "TORCH_DETERMINISTIC_ALGORITHMS=warn": "TORCH_DETERMINISTIC_ALGORITHMS=warn has "
    "CUBLAS_WORKSPACE_CONFIG=:4096:8 in it, without which PyTorch warns of every matrix product",
    "CUBLAS_WORKSPACE_CONFIG=:4096:8": "CUBLAS_WORKSPACE_CONFIG=:4096:8 is measured as a user "
    "sets it; warn and strict hide it from PyTorch once CUDA has started",
}
"""What a choice sets beside what its name says. The difference shows on a GPU."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cost` to its parser."""
    parser.description = (
        "Run a command, unmodified, for some optimizer steps at each level and with "
        "each switch alone, in turn, and print the time of a step, peak memory, whether repeats "
        "were bit-identical, operators that warned or raised, and a recommendation. Each run is "
        "ended after its steps, before the program's own exit code: what it writes until then, it "
        "writes. Exit status 0: measured. 1: a step takes more than --fail-above allows. 2: it "
        "could not be measured. 4: whether that limit holds cannot be told. 5: measured, but the "
        "picture, or the output, could not be written."
    )
    arguments.add_examples(parser, EXAMPLES)
    _add_counts(parser)
    parser.add_argument(
        "--only",
        type=_choices,
        metavar="LIST",
        help="choices to measure beside off, with commas; all by default",
    )
    parser.add_argument(
        "--fail-above",
        type=_ratio,
        metavar="RATIO",
        help="fail if a step takes more than RATIO times as long as under off, such as 1.25; under "
        "each choice of --only, or under warn without --only",
    )
    arguments.add_runs(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture there, as SVG")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it is there")
    arguments.add_command(parser)
    parser.set_defaults(run=run)


def _add_counts(parser: argparse.ArgumentParser) -> None:
    for option, least, default, text in (
        ("--steps", 3, 50, "steps to time (50)"),
        ("--warmup", 1, 10, "steps before them (10)"),
        ("--repeats", 2, 3, "runs of each (3)"),
    ):
        parser.add_argument(
            option, type=arguments.at_least(least), default=default, metavar="N", help=text
        )


def _choices(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in CHOICES:
            raise argparse.ArgumentTypeError(f"{name!r} is no choice; see --help for all")
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no choice; see --help for all")
    return names


def _ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ratio; give a positive number, such as 1.25 for 25 % more"
        )
    return value


STATUS = {limit.WITHIN: 0, limit.ABOVE: 1, limit.UNPROVEN: 4}
"""Verdict on the limit of --fail-above to exit status."""


def run(options: argparse.Namespace) -> int:
    """Measure, print the result, and draw the picture; return 0 if the reference was measured.

    Raises:
        CommandError: nothing could be measured, the picture not be written, or there is nothing
            that a limit could hold for.
    """
    if options.fail_above is not None and not limit.names_of(options.only):
        raise CommandError("--fail-above needs a choice beside off, such as --only warn")
    # The command may leave this directory, or remove it.
    here = arguments.here()
    plot = here / options.plot if options.plot is not None else None
    if options.plot is not None:
        output.check(options.plot, options.force)
    result = _result(_request(options))
    reference = result.row(REFERENCE)
    measured = reference is not None and reference.step is not None
    held = _held(options, result)
    text = (
        printing.as_json({**result.to_json(), "limit": held and held.to_json()})
        if options.json
        else printing.as_text([*as_lines(result), *(_limit_lines(held) if held else [])])
    )
    status = output.tell(text, _status(measured, held))
    if plot is not None:
        try:
            output.put(plot, drawing.picture(result), options.force)
        except OSError as error:
            raise CommandError(
                f"cannot write {plot}: {error.strerror}", status=status or LOST
            ) from None
    return status


def _held(options: argparse.Namespace, result: Judgement) -> Limit | None:
    """Return what came of --fail-above; None where that is not asked for."""
    if options.fail_above is None:
        return None
    return limit.held_to(result, options.fail_above, limit.names_of(options.only))


def _status(measured: bool, held: Limit | None) -> int:
    if not measured:
        return 2
    return 0 if held is None else STATUS[held.verdict]


WORDS = {limit.WITHIN: "within", limit.ABOVE: "above", limit.UNPROVEN: "cannot be told against"}
"""A verdict on the limit, as a person reads it."""


def _limit_lines(held: Limit) -> list[str]:
    lines = [
        f"{each.name} {'is ' if each.verdict != limit.UNPROVEN else ''}{WORDS[each.verdict]} the "
        f"limit of {held.ratio:g} times off: {each.told}"
        for each in held.held
    ]
    return ["", *lines]


def _request(options: argparse.Namespace) -> measuring.Request:
    return measuring.Request(
        command=tuple(options.command),
        steps=options.steps,
        warmup=options.warmup,
        repeats=options.repeats,
        choices=tuple(CHOICES) if options.only is None else options.only,
        stdin=options.stdin,
        timeout=options.timeout,
    )


def _result(request: measuring.Request) -> Judgement:
    try:
        with Line() as line:
            return _measured(request, line)
    except (commands.CannotStart, measuring.CannotMeasure, journal.Unreadable) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"nothing can be measured here: {error}") from None


def _measured(request: measuring.Request, line: Line) -> Judgement:
    with measuring.Measurer(request, line if line.shown else None) as measurer:
        return judging.measure(measurer)


def as_lines(result: Judgement) -> list[str]:
    """Return the result, on one screen."""
    lines = [_headline(result), _machine(result), ""]
    lines += table([_head(result), *(_cells(row, result) for row in result.rows)])
    remarks = _remarks(result)
    return [*lines, "", *remarks, *([""] if remarks else []), result.recommendation]


def _headline(result: Judgement) -> str:
    request, seed = result.measurements.request, result.measurements.seed
    seeded = f"SEED={seed}" if seed else "SEED is not set"
    command = " ".join(words_without_secrets(request.command))
    return (
        f"{command} ({seeded}): {request.steps} steps after {request.warmup} of "
        f"warm-up, {request.repeats} runs of each, in turn"
    )


def _machine(result: Judgement) -> str:
    machine = result.measurements.machine
    where = ", ".join(dict.fromkeys(machine.get("gpus", []))) or "CPU"
    cuda = f", CUDA {machine['cuda']}" if machine.get("gpus") else ""
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] != 1)}"
    return (
        f"{where}, {threads}, torch {machine['torch']}{cuda}; "
        f"two equal measurements differ by {_noise(result)}"
    )


def _noise(result: Judgement) -> str:
    return percent(result.noise) if result.noise is not None else "an unknown amount"


def _head(result: Judgement) -> list[str]:
    what = "whole run" if result.whole_run else "time a step"
    memory = "GPU memory" if result.measurements.machine.get("gpus") else "memory"
    return ["", what, "smallest..largest", "against off", memory, "bit-identical"]


def _cells(row: Row, result: Judgement) -> list[str]:
    if row.step is None or row.spread is None:
        return [row.choice.name, "-", "", "", _bytes(row.memory), ""]
    ratio = f"{row.ratio:.3f}" if row.ratio is not None else "-"
    low, high = row.spread
    return [
        row.choice.name,
        _seconds(row.step),
        f"{_seconds(low)}..{_seconds(high)}",
        ratio,
        _bytes(row.memory),
        _identical(row),
    ]


def _identical(row: Row) -> str:
    different, runs = row.different
    if row.identical is None:
        return "not seen"
    return f"yes, {runs} of {runs}" if row.identical else f"no, {different} results in {runs} runs"


def _seconds(value: float) -> str:
    return f"{value:.3f} s" if value >= 1 else f"{value * 1e3:.3f} ms"


def _bytes(value: int | None) -> str:
    return "" if value is None else f"{value / 2**20:,.0f} MiB"


def _remarks(result: Judgement) -> list[str]:
    measured = result.measurements
    problems = _grouped({row.choice.name: row.problem for row in result.rows if row.problem})
    lines = [f"{', '.join(names)}: {problem}" for problem, names in problems.items()]
    under_warn, under_off = (measured.operators.get(name, []) for name in ("warn", REFERENCE))
    lines += [f"warns: {_operator(finding)}" for finding in under_warn]
    warned = {(finding.what, finding.file, finding.line) for finding in under_warn}
    lines += [
        f"nondeterministic under off: {_operator(finding)}"
        for finding in under_off
        if (finding.what, finding.file, finding.line) not in warned
    ]
    left_out = _grouped(measured.left_out)
    lines += [f"not run: {', '.join(names)} ({why})" for why, names in left_out.items()]
    if measured.machine["gpus"]:
        lines += [line for name, line in WITHIN.items() if name in measured.measured]
    return lines + _changed(result) + measured.notes


def _operator(finding: Finding) -> str:
    return f"{finding.what} at {finding.file}:{finding.line} ({finding.detail})"


def _grouped(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Return reason -> the names that have this reason."""
    grouped: dict[str, list[str]] = {}
    for name, why in reasons.items():
        grouped.setdefault(why, []).append(name)
    return grouped


def _changed(result: Judgement) -> list[str]:
    """Say which flags the program sets itself, so that a choice is not what its name says."""
    remarks: dict[str, Any] = {}
    for name, measured in result.measurements.measured.items():
        for sample in measured.samples:
            for flag, value in measured.choice.flags.items():
                now = sample.flags.get(flag)
                if now == UNKNOWN:
                    remarks.setdefault(f"torch does not tell {flag} at the end", []).append(name)
                elif now is not None and now != value:
                    remarks.setdefault(f"the program itself sets {flag}={now}", []).append(name)
    return [
        f"{what}, whatever {', '.join(dict.fromkeys(names))} asks for"
        for what, names in remarks.items()
    ]
