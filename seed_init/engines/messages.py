# SPDX-License-Identifier: Apache-2.0
"""Read what has come with a message: anybody may have written it, and it must end no worker."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.hook.streams import Path


def path_and_seed(told: object) -> "tuple[Path, int] | None":
    """The path and the seed in what was JSON; None where there is no such path or seed.

    Args:
        told: what the producer's hook has sent: `path`, a list of texts and whole numbers, and
            `seed`, as SEED.
    """
    from seed_init.hook.startup import SEED_MAX

    if not isinstance(told, dict):
        return None
    path, seed = told.get("path"), told.get("seed")
    if not isinstance(path, list) or not all(type(part) in (str, int) for part in path):
        return None
    if type(seed) is not int or not 0 <= seed <= SEED_MAX:
        return None
    return tuple(path), seed
