# SPDX-License-Identifier: Apache-2.0
"""True entropy for modules that draw names, salts or ports from `random`.

What must be unique or unpredictable must not come out of a seeded generator: two jobs with one
SEED would give their files, messages and connections the same names, and salts that everybody
can compute. `startup.UNIQUE_NAMES` lists the modules; a new one is a line there. `tempfile`,
`secrets` and `uuid.uuid4` never draw from the seeded generator (`unseeded.LEFT_ALONE`).
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

NAME = "_seed_init_entropy"


class Source:
    """`random`, with the operating system behind each of its functions.

    Stands in for the module. It imports `random` when it is first drawn from: `uuid` is imported
    by many who never do.
    """

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system asks for __spec__
        import random

        # An attribute that has the module's name: see `_redirect`.
        name = "random" if name == NAME else name
        value = getattr(random, name)
        if getattr(value, "__self__", None) is random._inst:
            value = getattr(random.SystemRandom(), name)
        setattr(self, name, value)
        return value


def give_to(name: str) -> None:
    """Let a module that has just been imported draw from the operating system.

    Args:
        name: its full name. Whoever else uses `random` is not affected.
    """
    here = vars(sys.modules[name])
    source: object = sys.modules.setdefault(NAME, Source())  # type: ignore[arg-type]
    here[NAME] = source  # where a function below asks for the module's own `random`
    random = sys.modules.get("random")
    ours = getattr(random, "_inst", None)
    for key, value in list(here.items()):
        if random is not None and value is random:
            here[key] = source
        elif ours is not None and getattr(value, "__self__", None) is ours:
            here[key] = getattr(source, key, value)
        elif isinstance(value, type(give_to)) and value.__module__ == name:
            value.__code__ = _redirect(value.__code__)


def _redirect(code: "CodeType") -> "CodeType":
    """The same function, with `import random` in its body importing our module instead.

    `uuid` and IPython import it where they need it. The name of an import is one of the code's
    names, which it shares with attributes: `random.random()` becomes an attribute of our name.
    """
    if "random" not in code.co_names:
        return code
    return code.replace(co_names=tuple(NAME if n == "random" else n for n in code.co_names))
