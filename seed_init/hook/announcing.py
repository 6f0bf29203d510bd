# SPDX-License-Identifier: Apache-2.0
"""What holds in this process, in a line: on stderr once, in a shell, for a notebook."""

import os

from seed_init.hook import STEP, say, settings, startup, state

EXPORT = "SLURM_EXPORT_ENV"

LAUNCHERS = ("xargs", "make", "snakemake")
SHELLS = ("sh", "bash", "dash", "busybox", "env", "time")
GENERATIONS = 4
"""How many shells there may be between a launcher and the program."""

_announced = False


def announce(name: str) -> None:
    """Write one line when the first library is seeded whose numbers people compare.

    `random` is no such library: pip, uv and health checks import it. A seed that was drawn
    is told in any case, because without it the run could not be replayed.

    Args:
        name: of the library that has been imported.
    """
    here = state.settings
    if here.is_off or not state.is_main():
        return
    if not _announced:
        _announce_first(name, here)
    if name == "torch" and here.determinism == "warn":
        for line in switch_warnings(here):
            say(line)


def _announce_first(name: str, here: settings.Settings) -> None:
    global _announced
    if here.determinism is None:
        return  # nobody asked but the program itself, with reseed()
    if name == "random" and not state.drew:
        return
    if here.seed is None and name != "torch":
        return
    _announced = True
    say(summary(here))
    for warning in (cublas_warning(here), export_warning(here), pool_warning(here)):
        if warning:
            say(warning)


def announce_again(names: list[str]) -> None:
    """Say the line once more, at once where a library is there already, or at the next import.

    A kernel may have said it before its first cell, where nobody sees it: a drawn seed when
    ipykernel imported `random`, any other when a start-up file imported a library.

    Args:
        names: of the libraries that are imported.
    """
    global _announced
    _announced = False
    for name in names:
        announce(name)


def cublas_warning(here: settings.Settings) -> str | None:
    """One line where a cuBLAS workspace that is not deterministic meets level warn."""
    workspace = here.values.get(settings.CUBLAS)
    if here.determinism != "warn" or not workspace or workspace in startup.CUBLAS_DETERMINISTIC:
        return None
    accepted = " or ".join(startup.CUBLAS_DETERMINISTIC)
    return (
        f"{settings.CUBLAS}={workspace!a} is kept, but cuBLAS is deterministic only with {accepted}"
    )


def export_warning(here: settings.Settings) -> str | None:
    """One line where srun has not passed on what the batch script exports.

    What `sbatch --export` was given goes into SLURM_EXPORT_ENV, which srun takes for its own
    `--export` (srun(1)). So a SEED that the batch script exports does not reach the tasks.
    """
    exported = os.environ.get(EXPORT, "")
    words = exported.split(",")
    if STEP not in os.environ or not exported or "ALL" in words or "SEED" in words:
        return None
    seed, origin = here.values.get("SEED", "none"), here.origins.get("SEED", "")
    # In an array a script gives each job its own. Elsewhere this SEED may be meant.
    is_given = origin == "environment" and (
        f"SEED={seed}" not in words or "SLURM_ARRAY_TASK_ID" not in os.environ
    )
    if is_given:
        return None
    return (
        f"{EXPORT}={exported!a}: srun passes no SEED of the batch script on to its tasks, and "
        f"SEED={seed} ({origin}) holds here; use srun --export=ALL"
    )


def pool_warning(here: settings.Settings) -> str | None:
    """One line where a launcher that numbers nothing starts programs under a seed nobody gave."""
    seed, origin = here.values.get("SEED"), here.origins.get("SEED", "")
    if not origin.startswith("/") or here.member or state.path or state.reseeded is not None:
        return None
    launcher = _launcher()
    if launcher is None:
        return None
    return (
        f"{launcher}: all programs that it starts draw alike with the SEED={seed} of {origin}, "
        "which nobody has asked for; SEED_INIT_WORKER=NAME gives each its own streams"
    )


def _launcher() -> str | None:
    """The launcher that this process comes from, if it is one that does not tell who is who."""
    process = str(os.getppid())
    for _ in range(GENERATIONS):
        try:
            with open(f"/proc/{process}/stat") as file:
                head, _, rest = file.read().rpartition(")")
        except (OSError, ValueError):
            return None
        name = head.partition("(")[2]
        if name in LAUNCHERS:
            return name
        if name not in SHELLS:
            return None
        process = rest.split()[1]
    return None


def switch_warnings(here: settings.Settings) -> list[str]:
    """A line for each variable of a library beside torch that contradicts level warn."""
    if here.determinism != "warn":
        return []
    from seed_init.hook import switches

    contradictions = switches.contradictions(here, os.environ, switches.release_here())
    return [
        f"{name}={value!a} is kept, but only with {instead} does its library repeat its results"
        for name, value, instead in contradictions
    ]


def summary(here: settings.Settings) -> str:
    """What holds in this process, in one line: seed, its origin, level, rank."""
    seed, origin = seed_and_origin(here)
    parts = [f"SEED={seed} ({origin})" if seed else "SEED is not set"]
    if here.restart and here.seed is not None and state.reseeded is None:
        parts.append(f"restart {'.'.join(map(str, here.restart[1:]))}")
    parts.append(f"DETERMINISM={here.determinism}")
    if here.determinism == "portable":
        parts.append(f"{here.values['SEED_INIT_THREADS']} threads")
    if here.member and state.reseeded is None:
        # Not the random number of who has no index.
        known = here.member[:-1] if here.member[-2] == "submitit" else here.member
        parts.append(f"{' '.join(map(str, known))} (streams of its own)")
    if state.scope:
        parts.append(f"a stream for {'each' if here.notebook == 'cell' else 'this'} cell")
    rank = state.rank()
    if rank is not None:
        parts.append(f"rank {rank[0]} of {rank[1]} ({here.ranks} streams)")
    return ", ".join(parts)


def seed_and_origin(here: settings.Settings) -> tuple[str, str]:
    """SEED as it holds now, and where it comes from; empty where there is none."""
    if state.reseeded is not None:
        return str(state.reseeded), "reseeded"
    return here.values.get("SEED", ""), here.origins.get("SEED", "")
