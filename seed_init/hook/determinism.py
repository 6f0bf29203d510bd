# SPDX-License-Identifier: Apache-2.0
"""The determinism flags of PyTorch, and the levels of DETERMINISM as what they set.

`startup.FLAGS` is the one table of both, which the start-up file needs to tell what is accepted.
Whatever reads it from here follows when a flag is added there.
"""

from seed_init.hook import startup
from seed_init.hook.settings import Settings

ALGORITHMS = "TORCH_DETERMINISTIC_ALGORITHMS"

UNKNOWN = "unknown"
"""The value of a flag that torch does not tell."""


class Flag:
    """One entry of `startup.FLAGS`.

    Attributes:
        name: the variable of the contract that sets the flag.
        words: what the variable accepts.
        default: PyTorch's own value, which holds where nobody sets the flag.
        levels: level of DETERMINISM -> the value that it sets.
        attribute: where the flag is below `torch`; "" for one that libraries/torch_flags.py sets.
        operators: of a flag that allows TF32, those it is for, as PyTorch's newer functions name
            them.
    """

    __slots__ = ("attribute", "default", "levels", "name", "operators", "words")

    def __init__(
        self, name: str, words: tuple[str, ...], default: str, levels: str, attribute: str
    ) -> None:
        self.name, self.words, self.default = name, words, default
        self.levels = dict(pair.split("=") for pair in levels.split())
        self.attribute, *self.operators = attribute.split() or [""]


FLAGS = {name: Flag(name, *entry) for name, entry in startup.FLAGS.items()}
"""Variable of the contract -> the flag that it sets."""

LEVELS: dict[str, dict[str, str]] = {
    level: {name: flag.levels[level] for name, flag in FLAGS.items() if level in flag.levels}
    for level in startup.ACCEPTED["DETERMINISM"]
}
"""Level to the flags it sets, named by the variable that overrides each of them."""


def wanted(settings: Settings) -> dict[str, tuple[str, str]]:
    """The flags to set: the level's, with the overrides over them.

    Args:
        settings: what this process was asked to do.

    Returns:
        Variable name to (value, origin). A flag that neither the level nor an override
        names is absent: PyTorch's own default stays.
    """
    level = settings.determinism
    flags = {
        name: (value, f"DETERMINISM={level}") for name, value in LEVELS.get(level or "", {}).items()
    }
    for name in FLAGS:
        if name in settings.values:
            flags[name] = (settings.values[name], settings.origins[name])
    return flags
