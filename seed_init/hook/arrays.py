# SPDX-License-Identifier: Apache-2.0
"""The index of this process's job in an array of jobs: SEED=array, SEED=7+array, the image's seed.

Also who belongs to a pool of programs or to ranks that nobody has asked to draw alike, which
matters where SEED comes from a defaults file (`of_default`).
"""

import os

from seed_init.hook import startup, streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.hook.streams import Path

NODES = "JOB_COMPLETION_INDEX"
"""The index of a pod of a Kubernetes Indexed Job, whose pods may be the nodes of one training."""

INDICES = (
    "SLURM_ARRAY_TASK_ID",
    "LSB_JOBINDEX",
    "SGE_TASK_ID",
    "PBS_ARRAY_INDEX",
    "PBS_ARRAYID",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    NODES,
)
"""Where schedulers tell a job's index: Slurm, LSF, Grid Engine, PBS Pro and OpenPBS, Torque, AWS
Batch and Kubernetes."""

PARALLEL = "PARALLEL_SEQ"
"""The number of the job of GNU parallel, from 1."""

SUBMITIT = "SUBMITIT_EXECUTOR"
"""How submitit has started this process. A local one has no index, and its id is a process number
(submitit/local/local.py)."""


def index() -> int | None:
    """The index of this process's job in its array; None for a job of no array."""
    return next((number for name in INDICES if (number := _number(name)) is not None), None)


def _number(name: str) -> int | None:
    # Grid Engine says "undefined" outside of arrays. Nine digits: int() raises on more than 4300.
    text = os.environ.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        return None
    # LSF says 0 outside of arrays, whose indices begin with 1.
    return None if name == "LSB_JOBINDEX" and int(text) == 0 else int(text)


def accept(value: str) -> str:
    """Return a SEED such as 7+array, normalised.

    Raises:
        Refusal: what stands before `+array` is no number that SEED takes.
    """
    text = value.removesuffix("+array")
    number = text.lstrip("0") or text[:1]
    is_number = text.isascii() and text.isdecimal() and len(number) <= 10
    if is_number and int(number) <= startup.SEED_MAX:
        return f"{number}+array"
    words = (f"a whole number from 0 to {startup.SEED_MAX}", *startup.NUMBERS["SEED"][2])
    raise startup.part("hook.refusals").not_accepted("SEED", value, words)


def replace(values: dict[str, str], origins: dict[str, str]) -> None:
    """Replace SEED=array and SEED=7+array by a number, for every process started from here as well.

    Args:
        values: the settings read so far; SEED is replaced in it and in `os.environ`.
        origins: likewise.

    Raises:
        Refusal: this process belongs to no array.
    """
    chosen, number = values["SEED"], index()
    if number is None:
        raise startup.part("hook.refusals").Refusal(
            f"SEED={chosen} needs the index of an array of jobs, and there is none; start an array "
            f"({', '.join(INDICES[:-1])} and {INDICES[-1]} are read), or give SEED a number"
        )
    base = chosen.removesuffix("array").removesuffix("+")
    seed = streams.derive(int(base), ("array", number)) if base else number
    values["SEED"] = os.environ["SEED"] = str(seed)
    origins["SEED"] = f"SEED={chosen}, index {number}"


def is_training() -> bool:
    """True where a launcher has started the ranks of one training, so far as it tells that."""
    return "RANK" in os.environ or "MASTER_ADDR" in os.environ


def of_default() -> "Path":
    """Where the streams of a job start whose SEED nobody has given: () for most.

    Nobody has asked for equal numbers in the jobs of an array and in the programs of a pool.
    """
    path: Path = ()
    training = is_training()
    names = INDICES[: INDICES.index(NODES)] if training else INDICES
    number = next((n for name in names if (n := _number(name)) is not None), None)
    if number is not None:
        path = ("array", number)
    # With one training on several machines, GNU parallel may start a launcher on each.
    job = None if training else _number(PARALLEL)
    if job is not None:
        path = (*path, "parallel", job)
    if os.environ.get(SUBMITIT) == "local" and not training:
        path = (*path, "submitit", int.from_bytes(os.urandom(8), "little"))
    return path
