"""True entropy for modules that draw names, salts or ports from `random`.

What must be unique or unpredictable must not come out of a seeded generator: two jobs with one
SEED would give their files, messages and connections the same names, and salts that everybody
can compute. `startup.UNIQUE_NAMES` lists the modules; a new one is a line there. `tempfile`,
`secrets` and `uuid.uuid4` never draw from the seeded generator (`unseeded.LEFT_ALONE`).
"""

import random
import sys
from types import CodeType, FunctionType, ModuleType

NAME = "_seed_init_entropy"


def _as_module() -> ModuleType:
    """`random`, with the operating system behind each of its functions."""
    module = ModuleType(NAME)
    system = random.SystemRandom()
    for name, value in vars(random).items():
        if not name.startswith("__"):
            bound_here = getattr(value, "__self__", None) is random._inst
            setattr(module, name, getattr(system, name) if bound_here else value)
    # An attribute that has the module's name: see `_redirect`.
    setattr(module, NAME, system.random)
    sys.modules[NAME] = module
    return module


def give_to(name: str) -> None:
    """Let a module that has just been imported draw from the operating system.

    Args:
        name: its full name. Whoever else uses `random` is not affected.
    """
    here = vars(sys.modules[name])
    source = sys.modules.get(NAME) or _as_module()
    here[NAME] = source  # where a function below asks for the module's own `random`
    for key, value in list(here.items()):
        if value is random:
            here[key] = source
        elif getattr(value, "__self__", None) is random._inst:
            here[key] = getattr(source, key, value)
        elif isinstance(value, FunctionType) and value.__module__ == name:
            value.__code__ = _redirect(value.__code__)


def _redirect(code: CodeType) -> CodeType:
    """The same function, with `import random` in its body importing our module instead.

    `uuid` and IPython import it where they need it. The name of an import is one of the code's
    names, which it shares with attributes: `random.random()` becomes an attribute of our name.
    """
    if "random" not in code.co_names:
        return code
    return code.replace(co_names=tuple(NAME if one == "random" else one for one in code.co_names))
