# SPDX-License-Identifier: Apache-2.0
"""SEED=random: draw one seed from the operating system for the whole job."""

import os

from seed_init.hook import state
from seed_init.hook.settings import DRAWN

INITS = 2
"""How many inits there may be above the entrypoint's process: the engine's and tini."""


def replace_random(values: dict[str, str], origins: dict[str, str]) -> None:
    """Replace SEED=random by a drawn seed, here and for every process started from here.

    A container draws once: where the entrypoint has drawn already but this process was
    started around it (`docker exec`), the entrypoint's seed is taken.

    Args:
        values: the settings read so far; SEED is replaced in it and in `os.environ`.
        origins: likewise.
    """
    state.drew = True
    seed = _drawn_by_entrypoint()
    if seed is None:
        state.drew_alone = True
        seed = str(int.from_bytes(os.urandom(4), "little"))
    os.environ["SEED"] = os.environ[DRAWN] = seed
    values["SEED"], origins["SEED"] = seed, "SEED=random"


def _drawn_by_entrypoint() -> str | None:
    """The seed in the environment of the container's main process, if this user may see it.

    In the image PID 1 is tini, which the engine started with SEED=random; its first child is
    what the entrypoint became, with the drawn seed in its environment. With `docker run --init`
    tini is the child of another init. Elsewhere PID 1 is no init of a container and its
    children carry no drawn seed.
    """
    process = "1"
    for _ in range(INITS):
        try:
            with open(f"/proc/{process}/task/{process}/children", "rb") as file:
                process = file.read().split()[0].decode()
            with open(f"/proc/{process}/environ", "rb") as file:
                pairs = [pair.partition(b"=") for pair in file.read().split(b"\0")]
        except (OSError, IndexError):
            return None
        seed = {name: value for name, _, value in pairs}.get(DRAWN.encode(), b"")
        if seed.isdigit():
            return seed.decode()
    return None
