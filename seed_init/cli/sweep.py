# SPDX-License-Identifier: Apache-2.0
"""`seed-init sweep` runs a command once a seed, keeps every run, and says what they have shown."""

import argparse
import importlib
import os
import re
import shlex
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seed_init.cli import arguments, output, printing, sweep_engines, sweep_table
from seed_init.cli.errors import LOST, CommandError
from seed_init.proof.running import commands, signals
from seed_init.proof.running.progress import Line
from seed_init.proof.sweeping import (
    beginning,
    checks,
    ledger,
    local,
    metrics,
    one,
    picture,
    results,
    seeds,
)
from seed_init.proof.sweeping import (
    plan as plans,
)
from seed_init.proof.sweeping.beginning import Begun
from seed_init.proof.sweeping.ledger import Folder, Row
from seed_init.proof.sweeping.plan import Plan

EXAMPLES = """\
examples:
  seed-init sweep --seeds 0-9 --metric 'test accuracy: ([0-9.]+)' -- python train.py
  seed-init sweep --seeds 10 --metric '{dir}/metrics.json:/loss' --better lower \\
      --against 'python train.py --wide --out {dir}' -- python train.py --out {dir}
  seed-init sweep --seeds 0-99 --jobs 8 -- python train.py --out runs/{seed}

In the words of a command, {seed} is the seed of the run, and {dir} a directory of its own.
The same words again go on where a sweep was ended, and make no run twice that has ended well.
"""

ACTIONS = {"one": "sweep_one:run", "collect": "sweep_collect:run"}
"""`seed-init sweep ACTION ...`, without --seeds -> the function that gets the other words."""

SPEAKER = "seed-init sweep"

SWEEPS = Path("sweeps")
"""Where the folders of sweeps are, in the working directory."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sweep` to its parser."""
    parser.description = (
        "Run a command, unmodified, once a seed, with SEED set. Keep the output and the record of "
        "each run, read metrics from them, and print what they say: mean, spread and interval, "
        "and with --against the difference of two commands, paired by seed. The first seed is run "
        "twice: the same bits must come. Exit status 0: done. 1: a run failed or "
        "lacks a metric, or SEED has no effect. 2: the command line is wrong, or the command "
        "cannot be started. 5: done, but the picture or the output could not be written. "
        "'seed-init sweep one FOLDER INDEX' makes one run of a sweep that is there; 75: another "
        "process makes it."
    )
    arguments.add_examples(parser, EXAMPLES)
    _add_what_is_run(parser)
    _add_where(parser)
    sweep_engines.add(parser)
    _add_what_is_kept(parser)
    arguments.add_runs(parser)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture there, as SVG")
    parser.add_argument("--force", action="store_true", help="overwrite the picture if it is there")
    arguments.add_command(parser)
    parser.set_defaults(run=run)


def _add_what_is_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seeds",
        type=_seeds,
        metavar="SEEDS",
        help="a number of seeds such as 10, or a list such as 0-9 or 1,4,7-9",
    )
    parser.add_argument(
        "--metric",
        action=_Metric,
        default=(),
        dest="metrics",
        metavar="METRIC",
        help="a regular expression, whose last match in the standard output has the number, or "
        "FILE.json:/POINTER; repeatable",
    )
    parser.add_argument(
        "--better",
        action=_Better,
        choices=(metrics.HIGHER, metrics.LOWER),
        help="which values of the --metric before it are better",
    )
    parser.add_argument(
        "--against",
        type=_words,
        metavar="'CMD2'",
        help="another command, in one word, which is run with the same seeds and compared",
    )


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name", type=_name, help="name of the sweep; by default that of the program"
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="folder of the sweep (sweeps/NAME)")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="make every run again; what is in the folder is renamed and kept",
    )
    parser.add_argument(
        "--jobs", type=arguments.at_least(1), metavar="N", help="runs at one time (1)"
    )
    parser.add_argument(
        "--gpus-per-run",
        type=arguments.at_least(0),
        metavar="N",
        help="GPUs of each run, by CUDA_VISIBLE_DEVICES; with --jobs one each, 0 for all",
    )


def _add_what_is_kept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-records", dest="records", action="store_false", help="keep no record of each run"
    )
    parser.add_argument(
        "--steps",
        action="store_true",
        help="put a fingerprint of each training step into the records",
    )
    parser.add_argument(
        "--no-repeat",
        dest="repeat",
        action="store_false",
        help="do not run the first seed twice",
    )


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return seeds.parse(text)
    except seeds.BadSeeds as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be split into words: {error}; quote it as for a shell"
        ) from None
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} is no command; give one in quotation marks")
    return words


def _name(text: str) -> str:
    if not re.fullmatch(r"[\w][\w.+=@-]{0,99}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name of a folder; give letters, digits, and any of _.+=@-"
        )
    return text


class _Metric(argparse.Action):
    """Adds a metric."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        try:
            metric = metrics.parse(values)
            namespace.metrics = metrics.distinct([*namespace.metrics, metric])
        except metrics.BadMetric as error:
            parser.error(f"argument --metric: {error}")


class _Better(argparse.Action):
    """Says of the last metric which values are better."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if not namespace.metrics:
            parser.error("argument --better: it belongs to a --metric; write it after that")
        *others, last = namespace.metrics
        if last.better is not None:
            parser.error(f"argument --better: it is there twice for {last.name!r}; write it once")
        namespace.metrics = (*others, replace(last, better=values))


# --- what it does -------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    """Make the runs that are missing, and print what all of them have shown.

    Raises:
        CommandError: the command line is wrong, the folder is another sweep's, or a signal came.
    """
    if options.seeds is None and options.command[:1] and options.command[0] in ACTIONS:
        action, *words = options.command
        return _action(action)(words, options)
    here = arguments.here()
    plot = _checked(options, here)
    plan, folder, gpus = _prepared(options, here)
    try:
        with beginning.begun(folder, plan, fresh=options.fresh) as begun:
            _tell_what_is_there(folder, begun)
            if options.on is None:
                _execute(folder, begun, gpus)
            elif not sweep_engines.execute(folder, begun, options):
                return 0
            content = results.summary(folder.path)
            results.write(folder.path, content)
    except (plans.NotASweep, ledger.Busy) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(
            f"cannot go on in {_relative(folder.path)}: {error.strerror or error}; the runs that "
            "are over are kept",
            status=1,
        ) from None
    except one.CodeChanged as error:
        raise CommandError(str(error), status=1) from None
    except (KeyboardInterrupt, signals.Ended) as error:
        raise _interrupted(folder, error, options) from None
    return tell(content, folder, options, plot)


def _action(name: str) -> Callable[[Sequence[str], argparse.Namespace], int]:
    module, _, function = ACTIONS[name].partition(":")
    action: Callable[[Sequence[str], argparse.Namespace], int] = getattr(
        importlib.import_module(f"seed_init.cli.{module}"), function
    )
    return action


def _checked(options: argparse.Namespace, here: Path) -> Path | None:
    """Refuse what cannot be done before anything is done; return the path of the picture."""
    if options.seeds is None:
        raise CommandError(f"--seeds is not given; {seeds.EXAMPLES}")
    if not options.command:
        raise CommandError(commands.NOT_GIVEN)
    arguments.refuse_unquoted("--against", options.against, options)
    sweep_engines.check(options)
    if options.plot is None:
        return None
    output.check(options.plot, options.force)
    path: Path = here / options.plot
    return path


def _prepared(options: argparse.Namespace, here: Path) -> tuple[Plan, Folder, list[str | None]]:
    """Return the plan that the user asks for, its folder, and the GPUs of runs at one time."""
    if options.stdin is not None and not (here / options.stdin).is_file():
        raise CommandError(f"{options.stdin} cannot be read as standard input; give a file")
    name = options.name or (options.to.name if options.to else _name_of(options.command))
    folder = Folder(here / (options.to or SWEEPS / name))
    asked_for = Plan(
        name=name,
        cwd=str(here),
        command=tuple(options.command),
        seeds=options.seeds,
        against=options.against,
        metrics=tuple(options.metrics),
        repeat=options.repeat,
        records=options.records,
        steps=options.steps,
        stdin=None if options.stdin is None else str(options.stdin),
        timeout=options.timeout,
    )
    try:
        if options.on is not None:
            return sweep_engines.planned(asked_for, options), folder, []
        gpus = _gpus(options, asked_for)
        return plans.made(asked_for), folder, gpus
    except (plans.NotASweep, commands.CannotStart, local.TooFewGPUs) as error:
        raise CommandError(str(error)) from None


def _name_of(command: Sequence[str]) -> str:
    """Return a name for a folder: `train` for `python train.py --lr 0.1`."""
    programs = (word for word in command if word.endswith((".py", ".ipynb", ".sh")))
    others = (word for word in command[1:] if word[:1] not in ("-", ""))
    stem = Path(next(programs, next(others, command[0]))).name
    stem = re.sub(r"\.(py|ipynb|sh)$", "", stem)
    return re.sub(r"[^\w.+=@-]+", "-", stem)[:60].strip("-.") or "sweep"


def _gpus(options: argparse.Namespace, plan: Plan) -> list[str | None]:
    jobs = options.jobs or 1
    shared = plans.one_for_all(plan)
    if jobs > 1 and shared:
        raise CommandError(
            f"{shared[0]} is one file for all runs, which --jobs {jobs} would write at one time; "
            "write to {dir} or to a name with {seed}, and name the metric so"
        )
    return local.deal(jobs, options.gpus_per_run)


def _tell_what_is_there(folder: Folder, begun: Begun) -> None:
    if begun.before is not None:
        printing.error(f"what was there is in {_relative(begun.before)}", SPEAKER)
    if kept := len(begun.plan.tasks()) - len(begun.missing):
        runs = "1 run was" if kept == 1 else f"{kept} runs were"
        printing.error(f"{runs} there already in {_relative(folder.path)}", SPEAKER)


def _execute(folder: Folder, begun: Begun, gpus: Sequence[str | None]) -> None:
    with Line() as line:

        def ended(row: Row) -> None:
            if not row.is_well:
                line.clear()
                printing.error(f"{row.task} {one.why(row)}", SPEAKER)

        local.run_all(
            folder.path,
            begun.missing,
            len(begun.plan.tasks()),
            gpus=gpus,
            tell=line if line.shown else None,
            ended=ended,
        )


def _interrupted(folder: Folder, error: BaseException, options: argparse.Namespace) -> CommandError:
    number = error.signal if isinstance(error, signals.Ended) else int(signal.SIGINT)
    try:
        plan = folder.plan()
        total, left = len(plan.tasks()), len(folder.missing(plan))
        what = f"{total - left} of {total} runs are done and kept in {_relative(folder.path)}"
    except (plans.NotASweep, OSError):
        what = "no run was made"
    return CommandError(
        f"interrupted; {what}; the same words go on from there"
        f"{sweep_engines.left_behind(folder, options)}",
        status=128 + number,
    )


def _relative(path: Path) -> str:
    here = os.getcwd()  # noqa: PTH109
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def tell(
    content: dict[str, Any], folder: Folder, options: argparse.Namespace, plot: Path | None
) -> int:
    file = _relative(folder.path / ledger.RESULT)
    text = (
        printing.as_json(content)
        if options.json
        else printing.as_text(sweep_table.as_lines(content, file))
    )
    status = output.tell(text, status_of(content))
    if plot is not None:
        try:
            output.put(plot, picture.picture(content), options.force)
        except OSError as error:
            raise CommandError(
                f"cannot write {plot}: {error.strerror}", status=status or LOST
            ) from None
    return status


def status_of(content: dict[str, Any]) -> int:
    """Return the exit status: 1 if a run failed or lacks a metric, or SEED has no effect.

    Args:
        content: what `sweep.json` has.
    """
    is_bad = any(run["status"] != 0 for run in content["runs"])
    lacks = any(sweep_table.lacks_a_metric(run) for run in content["runs"])
    effects = content["checks"]["seed_has_effect"].values()
    return int(is_bad or lacks or any(e and e["verdict"] == checks.NO for e in effects))
