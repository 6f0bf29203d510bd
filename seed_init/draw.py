"""SEED=random: draw one seed from the operating system for the whole job."""

import os

from seed_init import settings as contract


def replace_random(settings: contract.Settings) -> contract.Settings:
    """Replace SEED=random by a drawn seed, here and for every process started from here.

    A container draws once: where the entrypoint has drawn already but this process was
    started around it (`docker exec`), the entrypoint's seed is taken.

    Args:
        settings: settings whose SEED is `random`.

    Returns:
        The settings with SEED replaced. `os.environ` carries the same from now on.
    """
    seed = _drawn_by_entrypoint() or str(int.from_bytes(os.urandom(4), "little"))
    os.environ["SEED"] = os.environ[contract.DRAWN] = seed
    values, origins = dict(settings.values), dict(settings.origins)
    values["SEED"], origins["SEED"] = seed, "SEED=random"
    return contract.Settings(values, origins)


def _drawn_by_entrypoint() -> str | None:
    """The seed in the environment of the container's main process, if this user may see it.

    In the image PID 1 is tini, which the engine started with SEED=random; its first child
    is what the entrypoint became, with the drawn seed in its environment. Elsewhere PID 1
    is no tini of ours and its children carry no drawn seed.
    """
    try:
        with open("/proc/1/task/1/children") as file:
            children = file.read().split()
        with open(f"/proc/{children[0]}/environ", "rb") as file:
            pairs = [pair.partition(b"=") for pair in file.read().split(b"\0")]
    except (OSError, IndexError):
        return None
    environment = {name: value.decode("ascii", "replace") for name, _, value in pairs}
    seed = environment.get(contract.DRAWN.encode())
    return seed if seed and seed.isascii() and seed.isdecimal() else None
