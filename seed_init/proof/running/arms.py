# SPDX-License-Identifier: Apache-2.0
"""The arms of `verify`: what is the same in every run, and what is changed on purpose.

An arm is one way to run the user's command. The base arm fixes all that must not matter to the
result; each perturbation changes one such thing. What still gives the same numbers does not
depend on it.
"""

import functools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.proof.running import launcher

HASH_SEED = "hash seed"
LISTING = "listing order"
LOAD = "CPU load"
LAYOUT = "address layout"
TEMPORARY = "temporary directory"
START = "start time"

CLOCK_SHIFT = 25 * 3600 + 61
"""25 h 1 min 1 s: another day, hour, minute and second."""

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
"""Each perturbation, and what it changes.

The layout comes first: every other change may move objects as well, so that a program which depends
on their addresses has to be told before the others are suspected.
"""

HOOK_FREE_PLAN: dict[str, Any] = {"instruments": ["end"]}
"""No training hooks: what this arm gives, the program gives when it is not observed."""

PADDING = "SEED_INIT_LAYOUT"
"""A variable that nothing reads: it moves the stack, at whose top the environment lies."""


@dataclass(frozen=True)
class Arm:
    """One way to run the command.

    Attributes:
        name: what a reader calls it.
        changed: names of perturbations, of `PERTURBATIONS`.
        observed: False for no training hooks.
        variant: 1, 2, ...: each changes the same things in another way. Two runs of one variant
            agree in the hash seed, the order of listings, the padding and the temporary path.
    """

    name: str
    changed: tuple[str, ...] = ()
    observed: bool = True
    variant: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.changed if name not in PERTURBATIONS]
        if unknown:
            raise ValueError(
                f"unknown perturbation {unknown[0]!r}: accepted are {', '.join(PERTURBATIONS)}"
            )


def base_arm() -> Arm:
    """Nothing changed."""
    return Arm("base")


def perturbed_arm(names: tuple[str, ...] = tuple(PERTURBATIONS), variant: int = 1) -> Arm:
    """Several things changed at once.

    Args:
        names: which, of `PERTURBATIONS`.
        variant: as in `Arm`.

    Raises:
        ValueError: a name that is none.
    """
    return Arm("perturbed" if variant == 1 else f"perturbed {variant}", tuple(names), True, variant)


def hook_free_arm(changed: tuple[str, ...] = ()) -> Arm:
    """No training hooks, so that the observer itself is checked.

    Args:
        changed: perturbations on top.
    """
    return Arm("without hooks", tuple(changed), observed=False)


def single_arms(arm: Arm) -> list[Arm]:
    """An arm for each perturbation of one, changed in the same way: to find the one that counts."""
    return [Arm(name, (name,), arm.observed, arm.variant) for name in arm.changed]


def plan_of(arm: Arm, plan: dict[str, Any]) -> dict[str, Any]:
    """What is observed in a run of this arm.

    Args:
        arm: the arm.
        plan: what is observed where it is observed.
    """
    made = dict(plan if arm.observed else HOOK_FREE_PLAN)
    options: dict[str, Any] = {}
    if LAYOUT in arm.changed:
        options["layout"] = f"layout {arm.variant}"
    if LISTING in arm.changed:
        options["listing"] = f"listing {arm.variant}"
    if START in arm.changed:
        options["clock"] = CLOCK_SHIFT * arm.variant
    if options:
        # First, so that every other instrument sees the same world as the program.
        made["instruments"] = ["perturbing", *made["instruments"]]
    return made | options


def environment_of(arm: Arm, given: dict[str, str], own: Path) -> dict[str, str]:
    """The environment of a run of this arm.

    Two runs of an arm get the same one, to the byte, where `own` is the same: the environment
    moves the stack, and its texts the heap.

    Args:
        arm: the arm.
        given: the user's.
        own: the directory of this run's own, which holds its temporary directory and its trace.
    """
    made = given | {
        "PYTHONHASHSEED": hash_seed(arm, given),
        "TMPDIR": str(temporary_of(arm, own)),
        "SEED_INIT_TRACE": str(trace_of(own)),
        # Else the first run compiles what the others find compiled, and its objects lie elsewhere.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if LAYOUT in arm.changed:
        made[PADDING] = "." * (4096 * arm.variant + 48)
    return made


def hash_seed(arm: Arm, given: dict[str, str]) -> str:
    """The PYTHONHASHSEED of a run: the user's own one or 0 in the base arm, another where changed.

    Args:
        arm: the arm.
        given: the user's environment. `random` there, or no number, counts as none given.
    """
    asked = given.get("PYTHONHASHSEED", "").strip()
    seed = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= 10 else 0
    return str((seed + arm.variant * (HASH_SEED in arm.changed)) % 2**32)


def temporary_of(arm: Arm, own: Path) -> Path:
    """The temporary directory of a run: another, longer name where that is changed.

    Not much longer: the path of a socket has at most 107 bytes (man 7 unix), of which
    multiprocessing and torch take up to 35.
    """
    return own / ("elsewhere" + "-" * arm.variant if TEMPORARY in arm.changed else "t")


def trace_of(own: Path) -> Path:
    """Where a run writes its trace."""
    return own / "trace"


def layout_of(arm: Arm) -> str:
    """What `launching` is asked for."""
    return "random" if LAYOUT in arm.changed else "fixed"


@functools.cache
def can_fix_layout() -> bool:
    """Whether this kernel, and the container around us, let address randomisation be off."""
    code = f"import runpy; print(runpy.run_path({launcher.__file__!r})['set_layout']('fixed'))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return done.stdout.strip() == b"fixed"


def is_randomised() -> bool:
    """Whether the kernel randomises addresses at all."""
    try:
        return Path("/proc/sys/kernel/randomize_va_space").read_text().strip() != "0"
    except OSError:
        return True


def limits(arm: Arm) -> list[str]:
    """What an arm's changes cannot do on this machine, one line each."""
    lines = []
    if LAYOUT in arm.changed:
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


def words(arm: Arm) -> str:
    """What an arm changes, as a reader sees it: "hash seed, CPU load", or "nothing"."""
    return ", ".join(arm.changed) or "nothing"
