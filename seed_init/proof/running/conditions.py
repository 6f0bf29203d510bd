# SPDX-License-Identifier: Apache-2.0
"""The conditions of `verify`: what is the same in every run, and what is changed on purpose.

A condition is one way to run the user's command. The base condition fixes everything that must not
matter to the result, and each perturbation changes one such thing. If a run gives the same numbers
although a thing was changed, the numbers do not depend on that thing.
"""

import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.running import launcher
from seed_init.proof.running.machines import Machine

HASH_SEED = "hash seed"
LISTING = "listing order"
LOAD = "CPU load"
LAYOUT = "address layout"
TEMPORARY = "temporary directory"
START = "start time"

CLOCK_SHIFT = 25 * 3600 + 61
"""Seconds by which the clock is shifted: 25 h 1 min 1 s change day, hour, minute and second."""

PERTURBATIONS: dict[str, str] = {
    LAYOUT: "the addresses of objects, and with them the order of sets of objects that have no "
    "hash of their own",
    HASH_SEED: "PYTHONHASHSEED, and with it the order of sets of texts",
    LISTING: "the order in which os.listdir, os.scandir, os.walk, glob and pathlib give the "
    "entries of a directory",
    LOAD: "one busy process per CPU beside the run, and with it when threads and processes go on",
    TEMPORARY: "the path that TMPDIR names",
    START: "the time of day that the module time tells (datetime.datetime.now asks the system "
    "itself and is not changed)",
}
"""The name of each perturbation, and what that perturbation changes.

The address layout comes first. Every other change may move objects as well, so a dependence on
addresses has to be found before another perturbation is suspected.
"""

HOOK_FREE_PLAN: dict[str, Any] = {"instruments": ["end"]}
"""The plan without training hooks: the results are those of a program that nobody observes."""

PADDING = "SEED_INIT_LAYOUT"
"""A variable that nothing reads. Its length moves the stack, because the environment lies there."""


@dataclass(frozen=True)
class Condition:
    """One way to run the command.

    Attributes:
        name: what a reader calls this condition.
        changed: the names of the perturbations, from `PERTURBATIONS`.
        observed: False for a run without training hooks.
        variant: 1, 2, ...: each variant changes the same things to other values. Two runs of one
            variant agree in hash seed, listing order, padding and temporary path.
        machine: the machine that is imitated; None for this one as it is.
    """

    name: str
    changed: tuple[str, ...] = ()
    observed: bool = True
    variant: int = 1
    machine: Machine | None = None

    @property
    def is_emulated(self) -> bool:
        """True where a CPU is emulated."""
        return self.machine is not None and self.machine.model is not None

    def __post_init__(self) -> None:
        unknown = [name for name in self.changed if name not in PERTURBATIONS]
        if unknown:
            raise ValueError(
                f"unknown perturbation {unknown[0]!r}: accepted are {', '.join(PERTURBATIONS)}"
            )


def base() -> Condition:
    """Return the condition in which nothing is changed."""
    return Condition("base")


def perturbed(variant: int) -> Condition:
    """Return the condition in which everything is changed at once.

    Args:
        variant: as in `Condition`.
    """
    name = "perturbed" if variant == 1 else f"perturbed {variant}"
    return Condition(name, tuple(PERTURBATIONS), variant=variant)


def without_hooks() -> Condition:
    """Return the base condition without training hooks, by which the observer is checked."""
    return Condition("without hooks", observed=False)


def on_machine(machine: Machine) -> Condition:
    """Return the base condition on another machine, which is imitated.

    Args:
        machine: the other machine.
    """
    return Condition(machine.name, machine=machine)


def single_changes(condition: Condition) -> list[Condition]:
    """Return a condition for each perturbation of one, to find the perturbation that counts.

    Args:
        condition: the condition with several perturbations; each is changed to the same value.
    """
    return [
        Condition(name, (name,), condition.observed, condition.variant)
        for name in condition.changed
    ]


def plan_of(condition: Condition, plan: dict[str, Any]) -> dict[str, Any]:
    """Return the plan (`journal.write_plan`) of a run.

    Args:
        condition: the condition of the run.
        plan: the plan of a run that is observed and in which nothing is changed.
    """
    plan_here = dict(plan if condition.observed else HOOK_FREE_PLAN)
    options: dict[str, Any] = {}
    if LAYOUT in condition.changed:
        options["layout"] = f"layout {condition.variant}"
    if LISTING in condition.changed:
        options["listing"] = f"listing {condition.variant}"
    if START in condition.changed:
        options["clock"] = CLOCK_SHIFT * condition.variant
    if condition.machine is not None and condition.machine.cpus is not None:
        options["cpus"] = condition.machine.cpus
    if options:
        # First, so that every other instrument sees the same world as the program.
        plan_here["instruments"] = ["perturbing", *plan_here["instruments"]]
    return plan_here | options


def environment_of(
    condition: Condition, user_environment: dict[str, str], own: Path
) -> dict[str, str]:
    """Return the environment of a run.

    If `own` is the same, two runs of a condition get the same environment to the byte. This
    matters because the environment moves the stack, and its texts move the heap.

    Args:
        condition: the condition of the run.
        user_environment: the user's environment.
        own: the directory of this run alone, with its temporary directory and its trace.
    """
    environment = user_environment | {
        "PYTHONHASHSEED": hash_seed(condition, user_environment),
        "TMPDIR": str(temporary_of(condition, own)),
        "SEED_INIT_TRACE": str(trace_of(own)),
        # Otherwise only the first run would compile modules, and objects of the later runs, which
        # find them compiled, would lie at other addresses.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if LAYOUT in condition.changed:
        environment[PADDING] = "." * (4096 * condition.variant + 48)
    if condition.machine is not None:
        environment |= condition.machine.variables
    return environment


def hash_seed(condition: Condition, user_environment: dict[str, str]) -> str:
    """Return the PYTHONHASHSEED of a run: the user's number or 0, plus the variant if changed.

    Args:
        condition: the condition of the run.
        user_environment: the user's environment. If PYTHONHASHSEED is `random` or no number, 0 is
            used.
    """
    asked = user_environment.get("PYTHONHASHSEED", "").strip()
    seed = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= 10 else 0
    return str((seed + condition.variant * (HASH_SEED in condition.changed)) % 2**32)


def temporary_of(condition: Condition, own: Path) -> Path:
    """Return the temporary directory of a run; its name is longer where it is changed.

    The name is only a little longer, because the path of a socket has at most 107 bytes
    (man 7 unix), of which multiprocessing and torch take up to 35.

    Args:
        condition: the condition of the run.
        own: the directory of this run alone.
    """
    return own / ("elsewhere" + "-" * condition.variant if TEMPORARY in condition.changed else "t")


def trace_of(own: Path) -> Path:
    """Return the directory in which a run writes its trace.

    Args:
        own: the directory of this run alone.
    """
    return own / "trace"


def affinity_of(condition: Condition) -> int:
    """Return how many CPUs a run may use; 0 for all that this process may use."""
    return (condition.machine and condition.machine.affinity) or 0


def layout_of(condition: Condition) -> str:
    """Return the address layout that `launcher` is asked for: `random` or `fixed`."""
    return "random" if LAYOUT in condition.changed else "fixed"


@functools.cache
def can_fix_layout() -> bool:
    """Return whether this kernel and this container allow address randomisation to be off."""
    code = f"import runpy; print(runpy.run_path({launcher.__file__!r})['set_layout']('fixed'))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return done.stdout.strip() == b"fixed"


def is_randomised() -> bool:
    """Return whether the kernel randomises addresses at all."""
    try:
        return Path("/proc/sys/kernel/randomize_va_space").read_text().strip() != "0"
    except OSError:
        return True


def limits(condition: Condition) -> list[str]:
    """Return what the changes of a condition cannot do on this machine, one line each."""
    lines = []
    if LAYOUT in condition.changed:
        if not is_randomised():
            lines.append(
                f"{LAYOUT}: this kernel does not randomise addresses (kernel.randomize_va_space "
                "is 0), so that only the heap and the size of the environment change"
            )
        elif not can_fix_layout():
            lines.append(
                f"{LAYOUT}: randomisation cannot be switched off here (in a container, its seccomp "
                "profile forbids personality), so that every run has addresses of its own"
            )
    return lines


def words(condition: Condition) -> str:
    """Return what a condition changes, as a reader sees it: "hash seed, CPU load" or "nothing"."""
    return ", ".join(condition.changed) or "nothing"
