# SPDX-License-Identifier: Apache-2.0
"""What holds in this process, in a line: on stderr once, in a shell, for a notebook."""

import os

from seed_init.hook import say, settings, startup, state

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
    warning = cublas_warning(here)
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
