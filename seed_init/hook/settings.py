# SPDX-License-Identifier: Apache-2.0
"""The settings of this process as everything after start-up sees them: `state.settings`."""

import os

from seed_init.hook import startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUILT_IN = {
    "SEED_INIT_LOG": "info",
    "SEED_INIT_UNSEEDED": "derive",
    "SEED_INIT_RESEED": "honour",
    "SEED_INIT_RANKS": "same",
    "SEED_INIT_CHILDREN": "distinct",
    "SEED_INIT_TASKS": "distinct",
    "SEED_INIT_POOLS": "worker",
    "SEED_INIT_NOTEBOOK": "kernel",
}
"""What holds when neither the environment nor the defaults file says anything."""

DRAWN = "SEED_INIT_DRAWN"
"""Set beside SEED by whoever drew it for SEED=random, so that children can tell."""

THREADS = "SEED_INIT_THREADS"

THREADS_OF_PORTABLE = "2"
"""Under level portable, where nobody says another number (docs/why/portability.md has the price of
others)."""

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"

EXPORTED = "SEED_INIT_EXPORTED"
"""Set beside the variables that the hook exports: their names. What a child inherits of them is
not its user's choice."""

ELASTIC = "TORCHELASTIC_RESTART_COUNT"
"""How often torchrun has restarted the workers of this job (torch/distributed/elastic)."""

REQUEUED = "SLURM_RESTART_COUNT"
"""How often Slurm has requeued this job; not set in its first attempt (sbatch(1))."""


class Settings:
    """What this process was asked to do, and by whom. Frozen.

    With SEED_INIT=0 (`is_off`) nothing has a value, and each policy is "".

    Attributes:
        is_off: whether SEED_INIT=0 holds.
        values: variable name to its value as text, only names that have one. For code that shows
            the contract or sets a flag; a policy is asked for by its attribute.
        origins: variable name to where that value comes from: "environment", "PATH:LINE" of
            the defaults file, "SEED=random", "DETERMINISM=level" or "built-in".
        log, unseeded, reseed, ranks, children, tasks, pools, notebook: the words of SEED_INIT_LOG,
            SEED_INIT_UNSEEDED and so on, which have a built-in value.
        seed: the seed of this job, 0...4294967295, or None where nothing is seeded.
        determinism: the level, or None where neither SEED nor DETERMINISM was given and the
            hook has nothing to do.
        restart: the path of this attempt's streams: empty in the first, ("restart", 2) in the
            second restart.
        member: where the streams of this job start if SEED comes from a defaults file, and the job
            is one of several that would draw alike: ("array", 3). Empty for most.
    """

    __slots__ = (
        "children",
        "determinism",
        "is_off",
        "log",
        "member",
        "notebook",
        "origins",
        "pools",
        "ranks",
        "reseed",
        "restart",
        "seed",
        "tasks",
        "unseeded",
        "values",
    )

    is_off: bool
    values: dict[str, str]
    origins: dict[str, str]
    log: str
    unseeded: str
    reseed: str
    ranks: str
    children: str
    tasks: str
    pools: str
    notebook: str
    seed: int | None
    determinism: str | None
    restart: tuple[str | int, ...]
    member: tuple[str | int, ...]

    def __init__(
        self,
        chosen: dict[str, str],
        chosen_origins: dict[str, str],
        is_rank: "Callable[[], bool]" = bool,
        is_off: bool = False,
    ) -> None:
        built_in = {} if is_off else BUILT_IN
        values = built_in | chosen
        origins = dict.fromkeys(built_in, "built-in") | chosen_origins
        seed = values.get("SEED")
        if seed is not None:
            if seed == os.environ.get(DRAWN):
                origins["SEED"] = "SEED=random"
            if "DETERMINISM" not in values:
                values["DETERMINISM"], origins["DETERMINISM"] = "warn", "built-in"
        level = values.get("DETERMINISM")
        if level == "portable" and THREADS not in values:
            values[THREADS], origins[THREADS] = THREADS_OF_PORTABLE, "built-in"
        exported = os.environ.get(CUBLAS)
        if CUBLAS in values and workspace_is_exported():
            del values[CUBLAS]  # inherited, and no choice of the user's
            exported = exported if startup.needs_workspace(values, level) else None
        if level is not None and exported and CUBLAS not in values:
            values[CUBLAS], origins[CUBLAS] = exported, f"DETERMINISM={level}"
        member: tuple[str | int, ...] = ()
        if seed is not None and seed.isdecimal() and origins.get("SEED", "").startswith("/"):
            from seed_init.hook import arrays

            # In the defaults file: nobody has asked for it.
            member = arrays.of_default()
            is_built_in = origins["SEED_INIT_RANKS"] == "built-in"
            if is_built_in and is_rank() and not arrays.is_training():
                values["SEED_INIT_RANKS"] = "distinct"
                origins["SEED_INIT_RANKS"] = f"SEED of {origins['SEED']}"
        restart = () if is_off else _restart(values, origins)
        put = object.__setattr__
        put(self, "is_off", is_off)
        for name in BUILT_IN:
            put(self, name.removeprefix("SEED_INIT_").lower(), values.get(name, ""))
        put(self, "values", values)
        put(self, "origins", origins)
        put(self, "seed", int(seed) if seed and seed.isdecimal() else None)
        put(self, "determinism", level)
        put(self, "restart", restart)
        put(self, "member", member)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings are frozen; {name} cannot be set")


def workspace_is_exported() -> bool:
    """True where CUBLAS_WORKSPACE_CONFIG is the hook's, from here or a parent, as it was set."""
    return (
        CUBLAS in os.environ.get(EXPORTED, "").split(",")
        and os.environ.get(CUBLAS) == startup.CUBLAS_DETERMINISTIC[0]
    )


def _restart(values: dict[str, str], origins: dict[str, str]) -> tuple[str | int, ...]:
    """The path of this attempt's streams; SEED_INIT_RESTART gets a value where a scheduler counts.

    Both count where a scheduler restarts the job and torchrun its workers within each attempt.
    """
    chosen, elastic = values.get("SEED_INIT_RESTART", ""), restarts(ELASTIC)
    if not chosen and (requeued := restarts(REQUEUED)):
        values["SEED_INIT_RESTART"], origins["SEED_INIT_RESTART"] = str(requeued), REQUEUED
        # A requeued job, and one whose workers torchrun has restarted, must not draw alike.
        return ("restart", requeued) if elastic is None else ("restart", requeued, elastic)
    if not chosen and elastic:
        values["SEED_INIT_RESTART"], origins["SEED_INIT_RESTART"] = str(elastic), ELASTIC
        return "restart", elastic
    if not chosen or chosen == "0":
        return ()
    return ("restart", int(chosen), elastic) if elastic else ("restart", int(chosen))


def restarts(name: str) -> int | None:
    """A number of restarts in the environment; None where nobody counts.

    Args:
        name: `ELASTIC` or `REQUEUED`.
    """
    text = os.environ.get(name, "")
    # Nine digits: int() raises on a text of more than 4300.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


def read(is_rank: "Callable[[], bool]") -> Settings:
    """The settings that hold in this process.

    They hold with the hook and, where it is not installed, without it: code that asks for a
    seeded generator must not get an unseeded one. A value that is not accepted ends this process.

    Args:
        is_rank: tells whether a launcher has made this process a rank.
    """
    if os.environ.get("SEED_INIT", "").strip() == "0":
        return Settings({}, {}, is_off=True)
    values, origins = startup.values, startup.origins
    if not startup.started:
        values, origins = {}, {}
        try:
            startup.read(values, origins)
            if values.get("SEED", "").endswith("array"):
                from seed_init.hook import arrays

                arrays.replace(values, origins)
        except Exception as error:
            startup.end(error)
    return Settings(values, origins, is_rank)
