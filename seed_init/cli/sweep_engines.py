# SPDX-License-Identifier: Apache-2.0
"""The options of `seed-init sweep` by which an engine makes the runs, and what they do."""

import argparse
import importlib
from typing import Any

from seed_init.cli import printing
from seed_init.cli.errors import CommandError
from seed_init.proof.running import signals
from seed_init.proof.running.progress import Line
from seed_init.proof.sweeping import engines, kubernetes, one, slurm
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.beginning import Begun
from seed_init.proof.sweeping.engines import KUBERNETES, SLURM, EngineError, Options, Watch
from seed_init.proof.sweeping.ledger import Folder, Row
from seed_init.proof.sweeping.plan import Plan

SPEAKER = "seed-init sweep"

OF_KUBERNETES = ("image", "claim", "namespace", "apply")
"""Options that only Kubernetes has."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `sweep`."""
    parser.add_argument(
        "--on",
        choices=engines.NAMES,
        help="have an engine make the runs, and not this machine; all see the same files",
    )
    parser.add_argument(
        "--slurm",
        nargs=argparse.REMAINDER,
        metavar="OPTION",
        help="options of sbatch: all words from here to --",
    )
    parser.add_argument("--image", help="Kubernetes: the image that the pods run")
    parser.add_argument(
        "--claim", metavar="NAME", help="Kubernetes: the PersistentVolumeClaim for the results"
    )
    parser.add_argument("--namespace", metavar="NAME", help="Kubernetes: the namespace of the Job")
    parser.add_argument(
        "--apply", action="store_true", help="Kubernetes: hand the manifest to kubectl"
    )


def check(options: argparse.Namespace) -> None:
    """Refuse options of an engine that does not make the runs.

    Raises:
        CommandError: there is such an option, or one that no engine can follow.
    """
    if options.slurm is not None and options.on != SLURM:
        raise CommandError("--slurm has options of sbatch; it needs --on slurm")
    for name in OF_KUBERNETES:
        if getattr(options, name) and options.on != KUBERNETES:
            raise CommandError(f"--{name} is an option of Kubernetes; it needs --on kubernetes")
    if options.on == KUBERNETES and options.stdin is not None:
        raise CommandError("--stdin is a file of this machine; a pod of Kubernetes cannot read it")
    if options.on is not None:
        try:
            _module(options.on).refuse(_asked_for(options))
        except EngineError as error:
            raise CommandError(str(error)) from None


def planned(plan: Plan, options: argparse.Namespace) -> Plan:
    """Return the plan for the engine.

    Args:
        plan: what the user asks for, not yet completed by what this machine says.
        options: the options of `sweep`.

    Raises:
        commands.CannotStart: there is no such command.
        CommandError: the engine would make runs at one time that write to one file.
    """
    if options.on == KUBERNETES:
        return kubernetes.plan_of(plan)
    plan = plans.made(plan)
    shared = plans.one_for_all(plan)
    if shared and options.jobs != 1:
        raise CommandError(
            f"{shared[0]} is one file for all runs, which the jobs would write at one time; write "
            "to {dir} or to a name with {seed}, and name the metric so, or give --jobs 1"
        )
    return plan


def execute(folder: Folder, begun: Begun, options: argparse.Namespace) -> bool:
    """Have the engine make the runs that are missing.

    Returns:
        Whether the runs are over; False where nobody waits for them.

    Raises:
        CommandError: the engine has refused the runs.
    """
    if not begun.missing:
        return True
    with Line() as line, signals.ending_on_signals():

        def say(text: str) -> None:
            line.clear()
            printing.error(text, SPEAKER)

        def ended(row: Row) -> None:
            if not row.is_well:
                say(f"{row.task} {one.why(row)}")

        try:
            _module(options.on).run(
                folder, begun.missing, _asked_for(options), Watch(line, say, ended)
            )
        except EngineError as error:
            raise CommandError(str(error)) from None
    return bool(options.on != KUBERNETES)


def left_behind(folder: Folder, options: argparse.Namespace) -> str:
    """Return what the user should know who stops waiting, as a clause; "" if nothing goes on."""
    if options.on != SLURM or folder.state() != "sweep":
        return ""
    told = slurm.left_behind(folder)
    return f"; {told}" if told else ""


def _module(name: str) -> Any:
    return importlib.import_module(f"seed_init.proof.sweeping.{name}")


def _asked_for(options: argparse.Namespace) -> Options:
    return Options(
        jobs=options.jobs,
        gpus_per_run=options.gpus_per_run,
        slurm=tuple(options.slurm or ()),
        image=options.image,
        claim=options.claim,
        namespace=options.namespace,
        apply=options.apply,
    )
